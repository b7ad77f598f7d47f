# --8<-- [start:block]
import torch
from torch import nn

from modern_nets.attention import MultiHeadAttention


class EncoderBlock(nn.Module):
    """Блок энкодера: нормализация стоит перед слоем (pre-norm)."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.norm_1 = nn.LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm_2 = nn.LayerNorm(d_model)
        self.mlp = nn.Sequential(
            nn.Linear(d_model, 4 * d_model),
            nn.GELU(),
            nn.Linear(4 * d_model, d_model),
        )

    def forward(self, x):  # (B, T, D) → (B, T, D)
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))
# --8<-- [end:block]


# --8<-- [start:vit]
class VisionTransformer(nn.Module):
    def __init__(self, image_size, patch_size, n_channels, n_classes,
                 d_model, n_heads, n_layers):
        super().__init__()
        n_patches = (image_size // patch_size) ** 2
        self.patch_embedding = nn.Conv2d(n_channels, d_model, patch_size, patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, d_model))
        self.position = nn.Parameter(0.02 * torch.randn(1, n_patches + 1, d_model))
        self.blocks = nn.ModuleList(
            EncoderBlock(d_model, n_heads) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, n_classes)

    def embed(self, images):  # (B, C, H, W) → (B, N + 1, D)
        patches = self.patch_embedding(images).flatten(2).mT  # (B, N, D)
        cls = self.cls_token.expand(len(images), -1, -1)
        return torch.cat([cls, patches], dim=1) + self.position

    def forward(self, images):
        x = self.embed(images)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))  # решает только [CLS]
# --8<-- [end:vit]


# --8<-- [start:count]
def count(module):
    return sum(p.numel() for p in module.parameters())


base = dict(image_size=224, n_channels=3, n_classes=1000,
            d_model=768, n_heads=12, n_layers=12)
with torch.device("meta"):  # формы есть, памяти под числа нет
    vit_b16 = VisionTransformer(patch_size=16, **base)
    logits = vit_b16(torch.empty(1, 3, 224, 224))

for name, module in vit_b16.named_children():
    print(f"{name:16} {count(module):11,}".replace(",", " "))
own = vit_b16.cls_token.numel() + vit_b16.position.numel()
print(f"{'[CLS] и позиции':16} {own:11,}".replace(",", " "))
print(f"{'всего':16} {count(vit_b16):11,}".replace(",", " "))
print("логиты:", tuple(logits.shape))
# --8<-- [end:count]

# --8<-- [start:data]
from sklearn.datasets import load_digits

digits = load_digits()  # 1797 настоящих рукописных цифр, 8 × 8
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
x, y = x[order], y[order]
x_train, y_train = x[:1000], y[:1000]
x_test, y_test = x[1000:], y[1000:]
print("обучение:", tuple(x_train.shape), "проверка:", tuple(x_test.shape))
# --8<-- [end:data]


# --8<-- [start:nets]
# docs: quote n_vit n_cnn
def small_vit():
    vit = VisionTransformer(image_size=8, patch_size=2, n_channels=1, n_classes=10,
                            d_model=32, n_heads=4, n_layers=2)
    nn.init.normal_(vit.position, std=0.5)  # заметные позиции: учимся недолго
    return vit


def small_cnn(width=14):
    def conv(c_in, c_out):
        return [nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(c_out), nn.ReLU()]

    return nn.Sequential(
        *conv(1, width), *conv(width, 2 * width), nn.MaxPool2d(2),
        *conv(2 * width, 2 * width), *conv(2 * width, 4 * width),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10),
    )


n_vit, n_cnn = count(small_vit()), count(small_cnn())
print(f"параметров: ViT {n_vit}, CNN {n_cnn}")
# --8<-- [end:nets]


# --8<-- [start:train]
def train(model, x, y, steps=150, lr=0.01, augment=lambda images: images):
    optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=0.05,
                                  fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps)
    model.train()
    for _ in range(steps):
        batch = torch.randint(len(x), (48,))
        logits = model(augment(x[batch]))
        loss = nn.functional.cross_entropy(logits, y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def accuracy(model, x, y):
    return 100 * (model(x).argmax(1) == y).float().mean().item()


def trial(make, n_images, seed, **options):
    """Обучает сеть на n_images картинках и проверяет на 797 невиданных."""
    torch.manual_seed(seed)
    chosen = torch.randperm(1000)[:n_images]
    model = train(make(), x_train[chosen], y_train[chosen], **options)
    seen = accuracy(model, x_train[chosen], y_train[chosen])
    return accuracy(model, x_test, y_test), seen, model
# --8<-- [end:train]


# --8<-- [start:compare]
# docs: near 0.3
# docs: limit 120
# docs: quote vit_50 cnn_50 vit_1000 cnn_1000
sizes, seeds = (50, 200, 1000), (0, 1, 2)
results, models = {}, {}
print("картинок   ViT: обучение  проверка   CNN: обучение  проверка")
for n in sizes:
    line = f"{n:8} "
    for name, make in (("ViT", small_vit), ("CNN", small_cnn)):
        runs = [trial(make, n, seed) for seed in seeds]
        results[name, n] = [test for test, _, _ in runs]
        models[name, n] = runs[0][2]
        seen = sum(seen for _, seen, _ in runs) / len(runs)
        line += f"{seen:13.0f} % {sum(results[name, n]) / len(runs):8.0f} % "
    print(line)
vit_50, vit_1000 = (sum(results["ViT", n]) / 3 for n in (50, 1000))
cnn_50, cnn_1000 = (sum(results["CNN", n]) / 3 for n in (50, 1000))
# --8<-- [end:compare]

# --8<-- [start:compare_figure]
# docs: alt График: доля верных ответов на проверке против числа обучающих картинок — 50, 200 и 1000. Линия CNN выше линии ViT всюду; разрыв велик на 50 картинках и мал на 1000. Точки — отдельные запуски.
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(5.5, 3.4))
for name, color, marker in (("CNN", "C0", "o"), ("ViT", "C1", "s")):
    means = [sum(results[name, n]) / len(seeds) for n in sizes]
    axis.plot(sizes, means, color=color, label=name)
    for n in sizes:  # каждый запуск — своя точка: виден разброс
        axis.plot([n] * len(seeds), results[name, n], marker, color=color,
                  markersize=4, linestyle="none")
axis.set_xscale("log")
axis.set_xticks(sizes, [str(n) for n in sizes])
axis.minorticks_off()
axis.set_xlabel("обучающих картинок")
axis.set_ylabel("верных ответов, %")
axis.legend()
figure.tight_layout()
plt.show()
# --8<-- [end:compare_figure]

# --8<-- [start:tiles]
# docs: alt Слева цифра 8 × 8 как есть, справа она же с переставленными квадратиками 2 × 2: человек цифру уже не узнаёт.
def tile_order(order, side=8, P=2):
    """Для каждой клетки новой картинки — номер клетки старой."""
    cells = torch.arange(side * side).reshape(side // P, P, side // P, P)
    tiles = cells.permute(0, 2, 1, 3).reshape(-1, P, P)[order]
    tiles = tiles.reshape(side // P, side // P, P, P)
    return tiles.permute(0, 2, 1, 3).flatten()


def rearrange(images, cells):
    return images.flatten(1)[:, cells].reshape(images.shape)


generator = torch.Generator().manual_seed(1)
cells = tile_order(torch.randperm(16, generator=generator))
shuffled_train, shuffled_test = rearrange(x_train, cells), rearrange(x_test, cells)

figure, axes = plt.subplots(1, 2, figsize=(4.4, 2.4))
for axis, images, title in zip(axes, (x_test, shuffled_test), ("было", "стало")):
    axis.imshow(images[0, 0].numpy(), cmap="Blues")
    axis.set_title(title)
    axis.axis("off")
plt.show()
# --8<-- [end:tiles]

# --8<-- [start:shuffled]
# docs: near 0.3
# docs: quote vit_before vit_after cnn_before cnn_after
def average(make, n, x_train=x_train, x_test=x_test, **options):
    """Средняя точность трёх запусков на n картинках."""
    total = 0
    for seed in seeds:
        torch.manual_seed(seed)
        chosen = torch.randperm(1000)[:n]
        model = train(make(), x_train[chosen], y_train[chosen], **options)
        total += accuracy(model, x_test, y_test)
    return total / len(seeds)


vit_before, cnn_before = vit_50, cnn_50
vit_after = average(small_vit, 50, shuffled_train, shuffled_test)
cnn_after = average(small_cnn, 50, shuffled_train, shuffled_test)
print("50 картинок   как есть   плитки переставлены")
print(f"ViT {vit_before:15.0f} % {vit_after:14.0f} %")
print(f"CNN {cnn_before:15.0f} % {cnn_after:14.0f} %")
# --8<-- [end:shuffled]

# --8<-- [start:no_positions]
# docs: near 0.3
# docs: quote with_positions swapped no_positions
def blind_vit():
    vit = small_vit()
    nn.init.zeros_(vit.position).requires_grad_(False)  # позиций нет и не будет
    return vit


vit = models["ViT", 1000]  # обучен на 1000 картинок как есть
no_positions, _, blind = trial(blind_vit, 1000, seed=0)
with_positions = accuracy(vit, x_test, y_test)
swapped = accuracy(vit, shuffled_test, y_test)
print("проверка:        как есть   с переставленными плитками")
print(f"с позициями {with_positions:11.0f} % {swapped:14.0f} %")
print(f"без позиций {no_positions:11.0f} % "
      f"{accuracy(blind, shuffled_test, y_test):14.0f} %")
with torch.no_grad():
    gap = (blind(x_test) - blind(shuffled_test)).abs().max().item()
print("логиты без позиций не изменились:", gap < 1e-3)
# --8<-- [end:no_positions]

# --8<-- [start:augment]
import math


def jitter(images, angle=15, zoom=0.1, shift=0.12):
    """Случайный поворот, масштаб и сдвиг — свой у каждой картинки."""
    def random(scale):
        return (2 * torch.rand(len(images)) - 1) * scale

    a, s = random(math.radians(angle)), 1 + random(zoom)
    matrix = torch.stack([s * a.cos(), -s * a.sin(), random(shift),
                          s * a.sin(), s * a.cos(), random(shift)], 1)
    grid = nn.functional.affine_grid(matrix.view(-1, 2, 3), images.shape,
                                     align_corners=False)
    # Фон этих картинок — −1, а grid_sample дополняет нулями: сдвигаем туда и обратно.
    return nn.functional.grid_sample(images + 1, grid, align_corners=False) - 1


def stem_vit(width=16):
    """ViT, у которого перед нарезкой стоит одна свёртка 3 × 3."""
    vit = small_vit()
    vit.patch_embedding = nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 32, 2, 2),
    )
    return vit


print("параметров со свёрткой:", count(stem_vit()))
# --8<-- [end:augment]

# --8<-- [start:help]
# docs: near 0.3
# docs: limit 120
# docs: quote jitter_50 stem_50 cnn_jitter_50
jitter_50 = average(small_vit, 50, augment=jitter)
stem_50 = average(stem_vit, 50)
cnn_jitter_50 = average(small_cnn, 50, augment=jitter)
print("50 картинок, проверка")
print(f"ViT                       {vit_50:3.0f} %")
print(f"ViT, искажения            {jitter_50:3.0f} %")
print(f"ViT со свёрткой           {stem_50:3.0f} %")
print(f"CNN                       {cnn_50:3.0f} %")
print(f"CNN, искажения            {cnn_jitter_50:3.0f} %")
# --8<-- [end:help]

# --8<-- [start:positions]
# docs: near 0.6
# docs: limit 120
# docs: quote link_still link_moving
def learn_positions(augment):
    torch.manual_seed(0)
    vit = small_vit()
    nn.init.normal_(vit.position, std=0.02)  # почти нули: всё, что вырастет, выучено
    train(vit, x_train, y_train, steps=250, augment=augment)
    table = vit.position.detach()[0, 1:]  # без [CLS]: (16, D)
    table = nn.functional.normalize(table - table.mean(0), dim=1)
    return table @ table.T  # косинусы, (16, 16)


def link_with_distance(similarity):
    """Корреляция сходства двух позиций с расстоянием между патчами."""
    place = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    pairs = ~torch.eye(16, dtype=torch.bool)
    rows = torch.stack([similarity[pairs], torch.cdist(place, place)[pairs]])
    return torch.corrcoef(rows)[0, 1].item()


still = learn_positions(lambda images: images)
moving = learn_positions(lambda images: jitter(images, zoom=0.15, shift=0.4))
link_still, link_moving = link_with_distance(still), link_with_distance(moving)
print("корреляция сходства позиций с расстоянием между патчами")
print(f"картинки как есть:       {link_still:5.2f}")
print(f"картинки ездят по кадру: {link_moving:5.2f}")
# --8<-- [end:positions]

# --8<-- [start:positions_figure]
# docs: alt Карта сходства позиций: 4 × 4 клетки по 4 × 4 числа. У сети, чьи картинки ездили по кадру, в каждой клетке самое светлое пятно — на месте самого патча и его соседей.
def mosaic(similarity):
    """Клетка мозаики — сходство одной позиции со всеми шестнадцатью."""
    maps = torch.full((4, 5, 4, 5), float("nan"))  # пятая строка и столбец — зазор
    maps[:, :4, :, :4] = similarity.reshape(4, 4, 4, 4).permute(0, 2, 1, 3)
    return maps.reshape(20, 20)[:19, :19]


figure, axes = plt.subplots(1, 2, figsize=(6, 3.1))
for axis, table, title in zip(axes, (still, moving), ("как есть", "ездят по кадру")):
    picture = axis.imshow(mosaic(table).numpy(), cmap="viridis", vmin=-1, vmax=1)
    axis.set_title(title)
    axis.axis("off")
figure.colorbar(picture, ax=axes, shrink=0.8, label="косинус")
plt.show()
# --8<-- [end:positions_figure]

# --8<-- [start:look]
# docs: near 0.5
# docs: alt Шесть цифр. Сверху сами цифры, под ними карта внимания токена [CLS] последнего блока, под ней карта того, насколько падает логит верного ответа, если закрасить патч. Карты внимания и карты влияния похожи лишь местами.
@torch.no_grad()
def cls_attention(model, images):
    """Внимание [CLS] последнего блока к патчам, среднее по головам: (B, 16)."""
    x = model.embed(images)
    for block in model.blocks[:-1]:
        x = block(x)
    last = model.blocks[-1]
    _, weights = last.attention(last.norm_1(x), return_weights=True)  # (B, H, 17, 17)
    return weights[:, :, 0, 1:].mean(1)


@torch.no_grad()
def influence(model, images, labels):
    """Насколько падает логит верного ответа, если закрасить патч фоном: (B, 16)."""
    rows = torch.arange(len(images))
    whole = model(images)[rows, labels]
    drops = []
    for i in range(16):
        r, c = i // 4 * 2, i % 4 * 2
        hidden = images.clone()
        hidden[:, :, r : r + 2, c : c + 2] = -1
        drops.append(whole - model(hidden)[rows, labels])
    return torch.stack(drops, dim=1)


looks = cls_attention(vit, x_test)
matters = influence(vit, x_test, y_test)
figure, axes = plt.subplots(3, 6, figsize=(6, 3.2))
for column in range(6):
    for row, values in enumerate((x_test[column, 0], looks[column].view(4, 4),
                                  matters[column].view(4, 4))):
        axes[row, column].imshow(values.numpy(), cmap="Blues")
        axes[row, column].axis("off")
plt.show()
# --8<-- [end:look]

# --8<-- [start:explain]
# docs: near 0.6
# docs: quote agreement on_ink ink_share
pairs = torch.stack([looks, matters])  # (2, 797, 16)
pairs = pairs - pairs.mean(-1, keepdim=True)
agreement = nn.functional.cosine_similarity(pairs[0], pairs[1], dim=-1).mean().item()

ink = nn.functional.avg_pool2d(x_test, 2).flatten(1) > -0.9  # патч не пуст
on_ink = 100 * (looks * ink).sum().item() / looks.sum().item()
ink_share = 100 * ink.float().mean().item()
print(f"корреляция внимания [CLS] с влиянием патча: {agreement:.2f}")
print(f"непустых патчей {ink_share:.0f} %, на них приходится {on_ink:.0f} % внимания")
# --8<-- [end:explain]

# --8<-- [start:wrong_size]
wide = torch.zeros(1, 1, 4, 16)  # не 8 × 8, но патчей столько же: 2 · 8 = 16
print("полоса 4 × 16:", tuple(vit(wide).shape), "— ответ есть, ошибки нет")
try:
    vit(torch.zeros(1, 1, 16, 16))
except RuntimeError as error:
    print("квадрат 16 × 16:", error)
# --8<-- [end:wrong_size]


# --8<-- [start:resize]
# docs: near 0.3
# docs: quote big_before big_after
def resize_positions(position, old, new):
    """Таблица позиций сетки old × old → сетки new × new; [CLS] не трогаем."""
    cls, patches = position[:, :1], position[:, 1:]
    grid = patches.mT.unflatten(2, (old, old))  # (1, N, D) → (1, D, old, old)
    grid = nn.functional.interpolate(grid, (new, new), mode="bicubic")
    return torch.cat([cls, grid.flatten(2).mT], dim=1)


big_test = nn.functional.interpolate(x_test, (16, 16), mode="bilinear")
big = VisionTransformer(image_size=16, patch_size=2, n_channels=1, n_classes=10,
                        d_model=32, n_heads=4, n_layers=2).eval()
state = vit.state_dict()
state["position"] = resize_positions(vit.position.detach(), old=4, new=8)
big.load_state_dict(state)
print("таблица позиций:", tuple(vit.position.shape), "→", tuple(big.position.shape))
big_before = accuracy(big, big_test, y_test)
print(f"картинки 16 × 16 сразу после подгонки: {big_before:.0f} %")

tune_x = nn.functional.interpolate(x_train, (16, 16), mode="bilinear")
train(big, tune_x, y_train, steps=50, lr=0.003)
big_after = accuracy(big, big_test, y_test)
print(f"и после 50 шагов дообучения: {big_after:.0f} %")
# --8<-- [end:resize]

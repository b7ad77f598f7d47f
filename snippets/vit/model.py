# --8<-- [start:block]
from torch import nn

from modern_nets.attention import MultiHeadAttention
from modern_nets.layers import MLP


class EncoderBlock(nn.Module):
    """Блок энкодера: нормализация стоит перед слоем (pre-norm)."""

    def __init__(self, config):
        super().__init__()
        D, eps = config.d_model, config.layer_norm_eps
        self.norm_1 = nn.LayerNorm(D, eps)
        self.attention = MultiHeadAttention(D, config.n_heads)
        self.norm_2 = nn.LayerNorm(D, eps)
        self.mlp = MLP(D, config.d_mlp)  # D → 4D → D

    def forward(self, x):  # (B, T, D) → (B, T, D)
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))


# --8<-- [end:block]


# --8<-- [start:vit]
import torch


class VisionTransformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        D, P = config.d_model, config.patch_size
        n_patches = (config.image_size // P) ** 2
        self.patch_embedding = nn.Conv2d(config.n_channels, D, P, stride=P)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, D))
        positions = torch.randn(1, n_patches + 1, D) / 50
        self.position_embedding = nn.Parameter(positions)
        self.blocks = nn.ModuleList(
            EncoderBlock(config) for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(D, config.layer_norm_eps)
        self.head = nn.Linear(D, config.n_classes)

    def embed(self, images):  # (B, C, H, W) → (B, N + 1, D)
        patches = self.patch_embedding(images).flatten(2).mT  # (B, N, D)
        cls = self.cls_token.expand(len(images), -1, -1)
        tokens = torch.cat([cls, patches], dim=1)
        return tokens + self.position_embedding

    def forward(self, images):
        x = self.embed(images)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))  # решает только [CLS]


# --8<-- [end:vit]


# --8<-- [start:count]
from modern_nets.vit import ViTConfig


def count(module):
    return sum(p.numel() for p in module.parameters())


with torch.device("meta"):  # формы есть, памяти под числа нет
    vit_b16 = VisionTransformer(ViTConfig())
    logits = vit_b16(torch.empty(1, 3, 224, 224))

parts = {name: count(part) for name, part in vit_b16.named_children()}
own = vit_b16.cls_token.numel() + vit_b16.position_embedding.numel()
parts |= {"[CLS], позиции": own, "всего": count(vit_b16)}
for name, number in parts.items():
    print(f"{name:15}", f"{number:11,}".replace(",", " "))
print("логиты:", tuple(logits.shape))
# --8<-- [end:count]

# --8<-- [start:parity]
from tempfile import TemporaryDirectory

import transformers

from modern_nets.vit import ViT

config = transformers.ViTConfig(
    image_size=32,
    patch_size=8,
    hidden_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=256,
    num_labels=10,
)
theirs = transformers.ViTForImageClassification(config).eval().double()
torch.manual_seed(0)
for weight in theirs.parameters():
    nn.init.normal_(weight, std=0.25)  # у каждого веса — своё число

with TemporaryDirectory() as folder:
    theirs.save_pretrained(folder)
    ours = ViT.from_pretrained(folder)
by_hand = VisionTransformer(ours.config).double()
by_hand.load_state_dict(ours.state_dict())  # имена как в пакете

images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
with torch.no_grad():
    expected = theirs(images).logits
    answers = {"пакет": ours(images).logits, "страница": by_hand(images)}
for name, logits in answers.items():
    same = (logits - expected).abs().max().item() < 1e-9
    print(f"{name:8} и transformers, расхождение меньше 1e-9:", same)
# --8<-- [end:parity]

# --8<-- [start:data]
from sklearn.datasets import load_digits

digits = load_digits()  # 1797 настоящих рукописных цифр, 8 × 8
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
x, y = x[order], y[order]
x_train, y_train = x[:1000], y[:1000]
x_test, y_test = x[1000:], y[1000:]
print("обучение:", tuple(x_train.shape))
print("проверка:", tuple(x_test.shape))
# --8<-- [end:data]


# --8<-- [start:nets]
# docs: quote n_vit n_cnn
small = ViTConfig(
    image_size=8,
    patch_size=2,
    n_channels=1,
    n_classes=10,
    d_model=32,
    n_heads=4,
    n_layers=2,
    d_mlp=128,
)


def small_vit():
    vit = VisionTransformer(small)
    # Обычное начало, 0,02, за полторы сотни шагов не разошлось бы.
    nn.init.normal_(vit.position_embedding, std=0.5)
    return vit


def conv(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(),
    )


def small_cnn():
    return nn.Sequential(
        conv(1, 14),
        conv(14, 28),
        nn.MaxPool2d(2),
        conv(28, 28),
        conv(28, 56),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(56, 10),
    )


n_vit, n_cnn = count(small_vit()), count(small_cnn())
print(f"параметров: ViT {n_vit}, CNN {n_cnn}")
# --8<-- [end:nets]


# --8<-- [start:train]
def train(model, x, y, steps=150, lr=0.01, augment=lambda images: images):
    optimizer = torch.optim.AdamW(
        model.parameters(), lr, weight_decay=0.05, fused=True
    )
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
from statistics import mean

sizes, seeds = (50, 200, 1000), (0, 1, 2)
results, models = {}, {}
print("проверка, % (в скобках — обучение)")
print("картинок       ViT        CNN")
for n in sizes:
    line = f"{n:8}"
    for name, make in (("ViT", small_vit), ("CNN", small_cnn)):
        runs = [trial(make, n, seed) for seed in seeds]
        results[name, n] = [test for test, _, _ in runs]
        models[name, n] = runs[0][2]
        seen = mean([seen for _, seen, _ in runs])
        line += f"{mean(results[name, n]):5.0f} ({seen:3.0f})"
    print(line)
vit_50, vit_1000 = mean(results["ViT", 50]), mean(results["ViT", 1000])
cnn_50, cnn_1000 = mean(results["CNN", 50]), mean(results["CNN", 1000])
# --8<-- [end:compare]

# --8<-- [start:compare_figure]
# docs: alt График: доля верных ответов на проверке против числа обучающих картинок — 50, 200 и 1000. Линия CNN выше линии ViT всюду; разрыв велик на 50 картинках и мал на 1000. Точки — отдельные запуски.
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(5.5, 3.4))
for name, color, marker in (("CNN", "C0", "o"), ("ViT", "C1", "s")):
    means = [mean(results[name, n]) for n in sizes]
    axis.plot(sizes, means, color=color, label=name)
    for n in sizes:  # каждый запуск — своя точка: виден разброс
        runs = results[name, n]
        axis.scatter([n] * len(runs), runs, s=20, c=color, marker=marker)
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
shuffled_train = rearrange(x_train, cells)
shuffled_test = rearrange(x_test, cells)

figure, axes = plt.subplots(1, 2, figsize=(4.4, 2.4))
shown = {"было": x_test, "стало": shuffled_test}
for axis, (title, images) in zip(axes, shown.items()):
    axis.imshow(images[0, 0].numpy(), cmap="Blues")
    axis.set_title(title)
    axis.axis("off")
plt.show()
# --8<-- [end:tiles]


# --8<-- [start:shuffled]
# docs: near 0.3
# docs: quote vit_after cnn_after
def average(make, n, x_train=x_train, x_test=x_test, **options):
    """Средняя точность трёх запусков на n картинках."""
    scores = []
    for seed in seeds:
        torch.manual_seed(seed)
        chosen = torch.randperm(1000)[:n]
        model = train(make(), x_train[chosen], y_train[chosen], **options)
        scores.append(accuracy(model, x_test, y_test))
    return mean(scores)


vit_after = average(small_vit, 50, shuffled_train, shuffled_test)
cnn_after = average(small_cnn, 50, shuffled_train, shuffled_test)
print("50 картинок  как есть  переставлены")
print(f"ViT {vit_50:14.0f} % {vit_after:11.0f} %")
print(f"CNN {cnn_50:14.0f} % {cnn_after:11.0f} %")
# --8<-- [end:shuffled]


# --8<-- [start:no_positions]
# docs: near 0.6
# docs: quote with_positions swapped no_positions
def blind_vit():
    vit = small_vit()
    nn.init.zeros_(vit.position_embedding)
    vit.position_embedding.requires_grad_(False)  # и не появятся
    return vit


vit = models["ViT", 1000]  # обучен на 1000 картинок как есть
no_positions, _, blind = trial(blind_vit, 1000, seed=0)
with_positions = accuracy(vit, x_test, y_test)
swapped = accuracy(vit, shuffled_test, y_test)
still_blind = accuracy(blind, shuffled_test, y_test)
print("проверка     как есть  переставлены")
print(f"с позициями {with_positions:6.0f} % {swapped:11.0f} %")
print(f"без позиций {no_positions:6.0f} % {still_blind:11.0f} %")
with torch.no_grad():
    gap = (blind(x_test) - blind(shuffled_test)).abs().max().item()
print("без позиций логиты те же:", gap < 1e-3)
# --8<-- [end:no_positions]

# --8<-- [start:augment]
import math

import torch.nn.functional as F


def jitter(images, angle=15, zoom=0.1, shift=0.12):
    """Случайный поворот, масштаб и сдвиг — свой у каждой картинки."""

    def random(scale):
        return (2 * torch.rand(len(images)) - 1) * scale

    a, s = random(math.radians(angle)), 1 + random(zoom)
    x_row = torch.stack([s * a.cos(), -s * a.sin(), random(shift)], dim=1)
    y_row = torch.stack([s * a.sin(), s * a.cos(), random(shift)], dim=1)
    matrix = torch.stack([x_row, y_row], dim=1)  # (B, 2, 3)
    grid = F.affine_grid(matrix, images.shape, align_corners=False)
    # Поля grid_sample заполняет нулями, а фон здесь −1: сдвинем и вернём.
    return F.grid_sample(images + 1, grid, align_corners=False) - 1


def stem_vit():
    """ViT, у которого перед нарезкой стоит одна свёртка 3 × 3."""
    vit = small_vit()
    cut = nn.Conv2d(16, 32, kernel_size=2, stride=2)
    vit.patch_embedding = nn.Sequential(conv(1, 16), cut)
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
print(f"ViT             {vit_50:4.0f} %")
print(f"ViT, искажения  {jitter_50:4.0f} %")
print(f"ViT со свёрткой {stem_50:4.0f} %")
print(f"CNN             {cnn_50:4.0f} %")
print(f"CNN, искажения  {cnn_jitter_50:4.0f} %")
# --8<-- [end:help]


# --8<-- [start:positions]
# docs: near 2.5
# docs: limit 120
# docs: quote link_still link_moving
def learn_positions(augment):
    torch.manual_seed(0)
    vit = small_vit()
    # Почти нули: всё, что вырастет, выучено.
    nn.init.normal_(vit.position_embedding, std=0.02)
    train(vit, x_train, y_train, steps=250, augment=augment)
    table = vit.position_embedding.detach()[0, 1:]  # без [CLS]
    table = F.normalize(table - table.mean(0), dim=1)
    return table @ table.T  # косинусы, (16, 16)


def link_with_distance(similarity):
    """Корреляция сходства двух позиций с расстоянием между патчами."""
    place = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    pairs = ~torch.eye(16, dtype=torch.bool)
    distance = torch.cdist(place, place)
    rows = torch.stack([similarity[pairs], distance[pairs]])
    return torch.corrcoef(rows)[0, 1].item()


def keep(images):
    return images


def move(images):
    return jitter(images, zoom=0.15, shift=0.4)


still, moving = learn_positions(keep), learn_positions(move)
link_still = link_with_distance(still)
link_moving = link_with_distance(moving)
print("сходство позиций и расстояние, корреляция")
print(f"как есть       {link_still:5.2f}")
print(f"ездят по кадру {link_moving:5.2f}")
# --8<-- [end:positions]


# --8<-- [start:positions_figure]
# docs: alt Карта сходства позиций: 4 × 4 клетки по 4 × 4 числа. У сети, чьи картинки ездили по кадру, в каждой клетке светлее всего сам патч и его строка, дальние строки темны; у другой сети светел только сам патч.
def mosaic(similarity):
    """Клетка мозаики — сходство одной позиции со всеми шестнадцатью."""
    maps = torch.full((4, 5, 4, 5), math.nan)  # пятые — зазоры
    maps[:, :4, :, :4] = similarity.reshape(4, 4, 4, 4).permute(0, 2, 1, 3)
    return maps.reshape(20, 20)[:19, :19]


figure, axes = plt.subplots(1, 2, figsize=(6, 3.1))
tables = {"как есть": still, "ездят по кадру": moving}
for axis, (title, table) in zip(axes, tables.items()):
    cosines = mosaic(table).numpy()
    picture = axis.imshow(cosines, cmap="viridis", vmin=-1, vmax=1)
    axis.set_title(title)
    axis.axis("off")
figure.colorbar(picture, ax=axes, shrink=0.8, label="косинус")
plt.show()
# --8<-- [end:positions_figure]


# --8<-- [start:look]
# docs: near 0.5
# docs: alt Шесть цифр. Сверху сами цифры, под ними карта внимания токена [CLS] последнего блока, под ней карта того, насколько падает логит верного ответа, если закрасить патч. Карты внимания и карты влияния похожи лишь местами.
open_vit = ViT(small).eval()  # та же сеть, но показывает веса внимания
open_vit.load_state_dict(vit.state_dict())


@torch.no_grad()
def cls_attention(images):
    """Внимание [CLS] к патчам в последнем блоке, среднее по головам."""
    attentions = open_vit(images, return_attention=True).attentions
    return attentions[-1][:, :, 0, 1:].mean(1)  # (B, H, 17, 17) → (B, 16)


@torch.no_grad()
def influence(model, images, labels):
    """Насколько падает логит верного ответа, если закрасить патч."""
    rows = torch.arange(len(images))
    whole = model(images)[rows, labels]
    drops = []
    for i in range(16):
        r, c = i // 4 * 2, i % 4 * 2
        hidden = images.clone()
        hidden[:, :, r : r + 2, c : c + 2] = -1
        drops.append(whole - model(hidden)[rows, labels])
    return torch.stack(drops, dim=1)  # (B, 16)


looks = cls_attention(x_test)
matters = influence(vit, x_test, y_test)
rows = {
    "цифра": x_test[:6, 0],
    "внимание": looks[:6].view(-1, 4, 4),
    "влияние": matters[:6].view(-1, 4, 4),
}
figure, axes = plt.subplots(3, 6, figsize=(6, 3.2))
for line, (title, values) in zip(axes, rows.items()):
    line[0].set_ylabel(title)
    for axis, value in zip(line, values):
        axis.imshow(value.numpy(), cmap="Blues")
        axis.set(xticks=[], yticks=[])
plt.show()
# --8<-- [end:look]

# --8<-- [start:explain]
# docs: near 0.6
# docs: quote agreement on_ink ink_share
pairs = torch.stack([looks, matters])  # (2, 797, 16)
pairs = pairs - pairs.mean(-1, keepdim=True)
agreement = F.cosine_similarity(pairs[0], pairs[1], dim=-1).mean().item()

ink = F.avg_pool2d(x_test, 2).flatten(1) > -0.9  # патч не пуст
on_ink = 100 * (looks * ink).sum().item() / looks.sum().item()
ink_share = 100 * ink.float().mean().item()
print(f"внимание и влияние, корреляция: {agreement:.2f}")
print(f"непустых патчей: {ink_share:.0f} %")
print(f"внимания на них: {on_ink:.0f} %")
# --8<-- [end:explain]

# --8<-- [start:wrong_size]
square, strip = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 4, 16)
try:
    vit(square)
except RuntimeError as error:
    print("16 × 16:", str(error)[:34] + "…")
# Патчей в полосе 2 · 8 = 16, как и в квадрате 8 × 8: сложение сойдётся.
print("4 × 16:  логиты", tuple(vit(strip).shape), "— ошибки нет")
# --8<-- [end:wrong_size]


# --8<-- [start:check_size]
for images in (square, strip):
    try:
        open_vit(images)
    except ValueError as error:
        print(str(error).split(":")[0])
# --8<-- [end:check_size]


# --8<-- [start:resize]
# docs: near 0.3
# docs: quote big_before big_after
from dataclasses import replace


def resize_positions(position, old, new):
    """Растягивает таблицу позиций как картинку; [CLS] не трогает."""
    cls, patches = position[:, :1], position[:, 1:]
    grid = patches.mT.unflatten(2, (old, old))  # (1, D, old, old)
    grid = F.interpolate(grid, (new, new), mode="bicubic")
    return torch.cat([cls, grid.flatten(2).mT], dim=1)


def enlarge(images):
    return F.interpolate(images, (16, 16), mode="bilinear")


big = VisionTransformer(replace(small, image_size=16)).eval()
state = vit.state_dict()
table = state["position_embedding"]
state["position_embedding"] = resize_positions(table, old=4, new=8)
big.load_state_dict(state)
print(tuple(table.shape), "→", tuple(big.position_embedding.shape))

big_before = accuracy(big, enlarge(x_test), y_test)
train(big, enlarge(x_train), y_train, steps=50, lr=0.003)
big_after = accuracy(big, enlarge(x_test), y_test)
print(f"16 × 16, сразу:          {big_before:.0f} %")
print(f"16 × 16, после 50 шагов: {big_after:.0f} %")
# --8<-- [end:resize]

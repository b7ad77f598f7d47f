# --8<-- [start:data]
import torch
from sklearn.datasets import load_digits

digits = load_digits()  # рукописные цифры, едут в самом scikit-learn
images = torch.tensor(digits.images, dtype=torch.float32)
images = ((images - images.mean()) / images.std()).unsqueeze(1)
train_x = images[:512]  # (512, 1, 8, 8): ровно 8 пакетов по 64
train_y = torch.tensor(digits.target[:512])

print("рисунки:", tuple(train_x.shape))
print("классы: ", train_y.unique().tolist())
# --8<-- [end:data]

# --8<-- [start:plain]
from torch import nn


def conv_bn_relu(in_dim, out_dim, stride=1):
    # Сдвига (bias) у свёртки нет: BatchNorm его бы вычел.
    conv = nn.Conv2d(in_dim, out_dim, 3, stride, padding=1, bias=False)
    return conv, nn.BatchNorm2d(out_dim), nn.ReLU()


def plain_block(in_dim, out_dim):
    layers = conv_bn_relu(in_dim, out_dim), conv_bn_relu(out_dim, out_dim)
    return nn.Sequential(*layers[0], *layers[1])


def make_net(block, n_blocks, width=16):
    return nn.Sequential(
        *conv_bn_relu(1, width, stride=2),  # (B, 16, 4, 4)
        *[block(width, width) for _ in range(n_blocks)],
        nn.AdaptiveAvgPool2d(1),  # (B, 16, 1, 1)
        nn.Flatten(),
        nn.Linear(width, 10),
    )


# --8<-- [end:plain]

# --8<-- [start:train]
import torch.nn.functional as F


def train(net, epochs=12, lr=0.007):
    """Обучает сеть; возвращает среднюю потерю за каждую эпоху."""
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)
    history = []
    for _ in range(epochs):
        losses = []
        for batch in torch.randperm(len(train_x)).split(64):
            loss = F.cross_entropy(net(train_x[batch]), train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
    return history


nets, curves = {}, {}  # (вид, число свёрток) → три сети и три кривые


def train_three(kind, block, n_convs, **options):
    """Обучает сеть с трёх начал; возвращает потери последней эпохи."""
    nets[kind, n_convs], curves[kind, n_convs] = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        net = make_net(block, n_convs // 2)
        curves[kind, n_convs].append(train(net, **options))
        nets[kind, n_convs].append(net)
    last = sorted(history[-1] for history in curves[kind, n_convs])
    text = "  ".join(f"{loss:.3f}" for loss in last)
    print(f"{kind}, свёрток {n_convs:2}:  {text}")
    return last


# --8<-- [end:train]

# --8<-- [start:plain_runs]
# docs: near 0.7
# docs: quote plain_8_min plain_8_max plain_18_min plain_18_max
# docs: quote plain_54_min plain_54_max
# docs: expect plain_18_min > plain_8_max
# docs: expect plain_54_min > plain_18_max
# docs: expect plain_54_min > 2 * plain_8_max
plain_8_min, _, plain_8_max = train_three("простая", plain_block, 8)
plain_18_min, _, plain_18_max = train_three("простая", plain_block, 18)
plain_54_min, _, plain_54_max = train_three("простая", plain_block, 54)
# --8<-- [end:plain_runs]


# --8<-- [start:copy]
# docs: near 0.7
# docs: quote shallow_loss copy_loss
# docs: expect copy_loss < shallow_loss + 0.01 and copy_loss > shallow_loss - 0.01
def identity_block(maps):
    """Простой блок, который возвращает эти карты без изменений."""
    block = plain_block(16, 16)
    for layer in block:
        if isinstance(layer, nn.Conv2d):
            nn.init.dirac_(layer.weight)  # единица в центре своего канала
        elif isinstance(layer, nn.BatchNorm2d):  # вернёт, что отнял
            layer.weight.copy_(maps.std((0, 2, 3), unbiased=False))
            layer.bias.copy_(maps.mean((0, 2, 3)))
    return block


shallow = nets["простая", 8][0]  # в режиме обучения
with torch.no_grad():
    # [:-3] — без усреднения, Flatten и Linear
    maps = shallow[:-3](train_x)  # (512, 16, 4, 4)
    added = [identity_block(maps) for _ in range(23)]
    deep_copy = nn.Sequential(*shallow[:-3], *added, *shallow[-3:])
    shallow_loss = F.cross_entropy(shallow(train_x), train_y).item()
    copy_loss = F.cross_entropy(deep_copy(train_x), train_y).item()
print(f"обученная сеть,  8 свёрток: {shallow_loss:.3f}")
print(f"собранная сеть, 54 свёртки: {copy_loss:.3f}")
# --8<-- [end:copy]

# --8<-- [start:residual_runs]
# docs: near 0.95
# docs: quote residual_8_min residual_8_max residual_18_min residual_18_max
# docs: quote residual_54_min residual_54_max
# docs: expect plain_54_min > 2 * residual_54_max
from modern_nets.resnet import ResidualBlock

kind, block = "остаточная", ResidualBlock
residual_8_min, _, residual_8_max = train_three(kind, block, 8)
residual_18_min, _, residual_18_max = train_three(kind, block, 18)
residual_54_min, _, residual_54_max = train_three(kind, block, 54)

for kind in ("простая", "остаточная"):
    n_params = sum(p.numel() for p in nets[kind, 54][0].parameters())
    print(f"{kind}, 54 свёртки: параметров {n_params}")
# --8<-- [end:residual_runs]

# --8<-- [start:curves]
# docs: near 0.95
# docs: alt Два графика потери на обучении по эпохам, шкала логарифмическая, по три тонкие линии на каждую глубину. У простых сетей линии тем выше, чем глубже сеть: все три сети из 54 свёрток остаются около двух, из 8 — уходят далеко вниз. У остаточных сетей линии всех глубин опускаются ниже 0,2 и переплетаются.
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(6, 3.6), sharey=True)
for axis, kind in zip(axes, ("простая", "остаточная"), strict=True):
    for n_convs, color in ((8, "C0"), (18, "C2"), (54, "C1")):
        for number, history in enumerate(curves[kind, n_convs]):
            label = f"свёрток: {n_convs}" if number == 0 else None
            axis.plot(range(1, 13), history, color, lw=1.2, label=label)
    axis.set(title=f"{kind} сеть", xlabel="эпоха", yscale="log")
axes[0].set(ylabel="потеря на обучении", ylim=(0.01, 5))
axes[0].legend(loc="lower left")
fig.tight_layout()
plt.show()
# --8<-- [end:curves]


# --8<-- [start:lesion]
# docs: near 1
# docs: quote cut_plain cut_residual cut_worst cut_short
# docs: expect cut_plain > 1.5
# docs: expect cut_residual < 0.3 and cut_worst > 2 * cut_residual
# docs: expect cut_short > cut_residual
def cut_each_block(net):
    """Потеря целой сети и потери без одного блока, по возрастанию."""
    x, y = train_x[:128], train_y[:128]
    blocks = range(
        3, len(net) - 3
    )  # первые и последние три слоя — не блоки
    shorter = [net[:i] + net[i + 1 :] for i in blocks]
    # В режиме обучения нормируют по этим рисункам; накопленные средние при
    # этом сдвигаются, но эти сети больше не понадобятся.
    with torch.no_grad():
        whole, *cut = [
            F.cross_entropy(n(x), y).item() for n in (net, *shorter)
        ]
    return whole, sorted(cut)


cuts = {}
print("                        целая  без блока: лучше  обычно  хуже")
for case in (("простая", 8), ("остаточная", 8), ("остаточная", 54)):
    cuts[case] = []
    for net in nets[case]:
        whole, cut = cut_each_block(net.train())
        row = cut[0], cut[len(cut) // 2], cut[-1]
        cuts[case].append(row)
        text = "    ".join(f"{loss:.2f}" for loss in row)
        name = f"{case[0] + ',':11} свёрток {case[1]:2}"
        print(f"{name}  {whole:.2f}              {text}")

cut_plain = min(best for best, _, _ in cuts["простая", 8])
cut_residual = max(usual for _, usual, _ in cuts["остаточная", 54])
cut_worst = max(worst for _, _, worst in cuts["остаточная", 54])
cut_short = min(usual for _, usual, _ in cuts["остаточная", 8])
# --8<-- [end:lesion]


# --8<-- [start:zero_gamma]
def zero_block(in_dim, out_dim):
    block = ResidualBlock(in_dim, out_dim)
    nn.init.zeros_(block.residual[-1].weight)  # γ последнего BatchNorm
    return block


torch.manual_seed(0)
net = make_net(zero_block, 27)
blocks = net[3:30]
hidden = net[:3](train_x[:64])  # вход первого блока
print("27 блоков вернули свой вход:", torch.equal(blocks(hidden), hidden))

F.cross_entropy(net(train_x[:64]), train_y[:64]).backward()
inner = [p for p in blocks.parameters() if p.dim() == 4]  # свёртки
gammas = [block.residual[-1].weight for block in blocks]
print("градиент 54 свёрток:", sum(p.grad.abs().sum() for p in inner).item())
print("градиент γ не ноль: ", all(g.grad.norm() > 0 for g in gammas))
# --8<-- [end:zero_gamma]


# --8<-- [start:zero_runs]
# docs: near 0.95
# docs: quote usual_second zero_second zero_last_max fast_usual fast_zero
# docs: expect zero_second > usual_second
# docs: expect zero_last_max < 0.6 and plain_54_min > 2 * zero_last_max
# docs: expect fast_zero < 0.8 * fast_usual
def second_epoch(kind, gamma):
    low, median, high = sorted(h[1] for h in curves[kind, 54])
    print(f"    эпоха 2, γ = {gamma}:  {low:.3f}  {median:.3f}  {high:.3f}")
    return median


_, _, zero_last_max = train_three("γ = 0", zero_block, 54)
zero_second = second_epoch("γ = 0", gamma=0)
usual_second = second_epoch("остаточная", gamma=1)

fast = {"epochs": 2, "lr": 0.03}
_, fast_zero, _ = train_three("γ = 0, шаг 0.03", zero_block, 54, **fast)
_, fast_usual, _ = train_three("γ = 1, шаг 0.03", ResidualBlock, 54, **fast)
# --8<-- [end:zero_runs]

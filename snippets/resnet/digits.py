# --8<-- [start:data]
import torch
from sklearn.datasets import load_digits

digits = load_digits()  # рукописные цифры, едут в самом scikit-learn
images = torch.tensor(digits.images, dtype=torch.float32)
images = ((images - images.mean()) / images.std()).unsqueeze(1)
train_x = images[:1280]  # (1280, 1, 8, 8): ровно 10 пакетов по 128
train_y = torch.tensor(digits.target[:1280])

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


def train(net, epochs=15, batch_size=128, lr=3e-3):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    history = []  # средняя потеря на обучающих рисунках за эпоху
    for _ in range(epochs):
        epoch_loss = 0.0
        order = torch.randperm(len(train_x))
        for batch in order.split(batch_size):
            loss = F.cross_entropy(net(train_x[batch]), train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() * len(batch)
        history.append(epoch_loss / len(train_x))
    return history


# --8<-- [end:train]

# --8<-- [start:plain_runs]
# docs: near 0.7
# docs: quote plain_8 plain_20 plain_54
# docs: limit 120
curves = {}
for n_convs in (8, 20, 54):
    torch.manual_seed(0)
    net = make_net(plain_block, n_convs // 2)
    curves["простая", n_convs] = history = train(net)
    print(f"свёрток {n_convs:2}: потеря на обучении {history[-1]:.2g}")
    if n_convs == 8:
        shallow = net  # ещё пригодится

plain_8 = curves["простая", 8][-1]
plain_20 = curves["простая", 20][-1]
plain_54 = curves["простая", 54][-1]
# --8<-- [end:plain_runs]


# --8<-- [start:copy]
# docs: near 0.7
# docs: quote shallow_loss copy_loss
def identity_block(width):
    block = plain_block(width, width)
    for layer in block:
        if isinstance(layer, nn.Conv2d):
            nn.init.dirac_(
                layer.weight
            )  # единица в центре, остальное — нули
    return block


added = [identity_block(16) for _ in range(23)]
deep_copy = nn.Sequential(*shallow[:-3], *added, *shallow[-3:])

shallow.eval(), deep_copy.eval()
with torch.no_grad():
    shallow_loss = F.cross_entropy(shallow(train_x), train_y).item()
    copy_loss = F.cross_entropy(deep_copy(train_x), train_y).item()
print(f"обученная сеть,  8 свёрток: {shallow_loss:.2g}")
print(f"собранная сеть, 54 свёртки: {copy_loss:.2g}")
# --8<-- [end:copy]

# --8<-- [start:residual_runs]
# docs: near 0.95
# docs: quote residual_8 residual_20 residual_54
# docs: limit 120
from modern_nets.resnet import ResidualBlock

for n_convs in (8, 20, 54):
    torch.manual_seed(0)
    net = make_net(ResidualBlock, n_convs // 2)
    curves["остаточная", n_convs] = history = train(net)
    print(f"свёрток {n_convs:2}: потеря на обучении {history[-1]:.2g}")

n_plain = sum(p.numel() for p in make_net(plain_block, 27).parameters())
n_residual = sum(p.numel() for p in net.parameters())
print("параметров при 54 свёртках:", n_plain, "и", n_residual)

residual_8 = curves["остаточная", 8][-1]
residual_20 = curves["остаточная", 20][-1]
residual_54 = curves["остаточная", 54][-1]
# --8<-- [end:residual_runs]

# --8<-- [start:curves]
# docs: near 0.6
# docs: alt Два графика потери на обучении по эпохам, шкала логарифмическая. У простых сетей кривая тем выше, чем глубже сеть: 54 свёртки остаются далеко над 8 и 20. У остаточных сетей все три кривые опускаются вместе, глубина им не мешает.
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(6, 3.4), sharey=True)
for axis, kind in zip(axes, ("простая", "остаточная"), strict=True):
    for n_convs, color in ((8, "C0"), (20, "C2"), (54, "C1")):
        history = curves[kind, n_convs]
        epochs = range(1, len(history) + 1)
        axis.plot(epochs, history, color, label=f"свёрток: {n_convs}")
    axis.set(title=f"{kind} сеть", xlabel="эпоха", yscale="log")
axes[0].set_ylabel("потеря на обучении")
axes[0].legend(loc="lower left")
fig.tight_layout()
plt.show()
# --8<-- [end:curves]


# --8<-- [start:gradients]
def gradients(block, batch_norm):
    """Нормы градиента всех свёрток сети до первого шага обучения."""
    torch.manual_seed(0)
    net = make_net(block, 54)  # 108 свёрток и одна входная
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d):
                nn.init.kaiming_normal_(child.weight, nonlinearity="relu")
            elif isinstance(child, nn.BatchNorm2d) and not batch_norm:
                setattr(module, name, nn.Identity())
    loss = F.cross_entropy(net(train_x[:128]), train_y[:128])
    loss.backward()
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    return loss.item(), [conv.weight.grad.norm().item() for conv in convs]


# --8<-- [end:gradients]

# --8<-- [start:four_nets]
# docs: near 0.6
# docs: quote decades
import math

norms = {}
for kind, block in (
    ("простая", plain_block),
    ("остаточная", ResidualBlock),
):
    for batch_norm in (True, False):
        loss, norm = gradients(block, batch_norm)
        norms[kind, batch_norm] = norm
        print(
            f"{kind}, {'с' if batch_norm else 'без'} BatchNorm: потеря {loss:.1e}"
        )
        print(
            f"    градиент первой свёртки {norm[0]:.0e}, последней {norm[-1]:.0e}"
        )

first, *_, last = norms["простая", True]
decades = round(math.log10(first / last))  # на сколько порядков вырос
# --8<-- [end:four_nets]

# --8<-- [start:gradient_figure]
# docs: near 0.6
# docs: alt Норма градиента каждой из 109 свёрток до обучения, логарифмическая шкала, два графика. С BatchNorm: у простой сети градиент растёт к первым слоям на много порядков, у остаточной почти ровный. Без BatchNorm: у простой сети он крошечный, но по глубине почти ровный, у остаточной огромен во всех слоях.
fig, axes = plt.subplots(1, 2, figsize=(6, 3.4), sharey=True)
for axis, batch_norm in zip(axes, (True, False), strict=True):
    for kind, color in (("простая", "C0"), ("остаточная", "C1")):
        norm = norms[kind, batch_norm]
        axis.plot(range(1, len(norm) + 1), norm, color, label=kind)
    title = "с BatchNorm" if batch_norm else "без BatchNorm"
    axis.set(title=title, xlabel="номер свёртки", yscale="log")
axes[0].set_ylabel("норма градиента")
axes[0].legend()
fig.tight_layout()
plt.show()
# --8<-- [end:gradient_figure]

# --8<-- [start:zero_gamma]
torch.manual_seed(0)
net = make_net(ResidualBlock, 27)
for module in net.modules():
    if isinstance(module, ResidualBlock):
        nn.init.zeros_(module.residual[-1].weight)  # γ последнего BatchNorm

x = train_x[:128]
hidden = net[:3](x)  # вход первого блока
print(
    "27 блоков вернули свой вход:", torch.equal(net[3:30](hidden), hidden)
)

F.cross_entropy(net(x), train_y[:128]).backward()
inner = [p for n, p in net[3:30].named_parameters() if p.dim() == 4]
gammas = [block.residual[-1].weight for block in net[3:30]]
print("градиент 54 свёрток:", sum(p.grad.abs().sum() for p in inner).item())
print("градиент γ не ноль: ", all(g.grad.norm() > 0 for g in gammas))
# --8<-- [end:zero_gamma]

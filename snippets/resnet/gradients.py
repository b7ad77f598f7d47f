# --8<-- [start:cases]
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

digits = load_digits()
x = torch.tensor(digits.images[:64], dtype=torch.float32).unsqueeze(1)
x, y = (x - x.mean()) / x.std(), torch.tensor(digits.target[:64])


def conv(in_dim, out_dim, batch_norm, stride=1):
    layer = nn.Conv2d(in_dim, out_dim, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer, nn.BatchNorm2d(out_dim) if batch_norm else nn.Identity()


class Block(nn.Module):
    def __init__(self, residual, batch_norm, width=16):
        super().__init__()
        first = conv(width, width, batch_norm)
        second = conv(width, width, batch_norm)
        self.layers = nn.Sequential(*first, nn.ReLU(), *second)
        self.residual = residual

    def forward(self, x):
        f = self.layers(x)
        return F.relu(f + x if self.residual else f)


# --8<-- [end:cases]


# --8<-- [start:gradients]
def before_training(residual, batch_norm, seed):
    """Потеря, размах карт на выходе и градиенты всех свёрток."""
    torch.manual_seed(seed)
    body = nn.Sequential(
        *conv(1, 16, batch_norm, stride=2),
        nn.ReLU(),
        *[Block(residual, batch_norm) for _ in range(54)],
    )
    maps = body(x)  # (64, 16, 4, 4)
    logits = nn.Linear(16, 10)(maps.mean(dim=(2, 3)))
    loss = F.cross_entropy(logits, y)
    loss.backward()
    convs = [m for m in body.modules() if isinstance(m, nn.Conv2d)]
    norms = [conv.weight.grad.norm().item() for conv in convs]
    return loss.item(), maps.pow(2).mean().sqrt().item(), norms


# --8<-- [end:gradients]


# --8<-- [start:four_nets]
# docs: near 0.6
# docs: quote tilt_bn_min tilt_bn_max tilt_res_min tilt_res_max
# docs: quote tilt_plain_min tilt_plain_max largest_plain loss_res_min loss_res_max size_bn
# docs: expect tilt_bn_min > 1000
# docs: expect tilt_res_max < 30 and tilt_res_min > 0.03
# docs: expect tilt_plain_min > 0.5 and largest_plain < 0.0001
# docs: expect loss_res_min > 10000
def span(values):
    return f"{min(values):.2g} … {max(values):.2g}"


loss, size, norms, tilt = {}, {}, {}, {}
for residual in (False, True):
    for batch_norm in (True, False):
        case = residual, batch_norm
        runs = [before_training(*case, seed) for seed in range(3)]
        loss[case], size[case], norm = zip(*runs, strict=True)
        norms[case] = norm = torch.tensor(norm)  # (3 зерна, 109 свёрток)
        first = norm[:, :27].log().mean(dim=1).exp()  # первая четверть
        last = norm[:, -27:].log().mean(dim=1).exp()  # последняя
        tilt[case] = (first / last).tolist()

        name = "остаточная" if residual else "простая"
        print(name, "с BatchNorm:" if batch_norm else "без BatchNorm:")
        print("    потеря:            ", span(loss[case]))
        print("    размах карт:       ", span(size[case]))
        print("    градиент в начале: ", span(first))
        print("    градиент в конце:  ", span(last))

tilt_bn_min, tilt_bn_max = min(tilt[False, True]), max(tilt[False, True])
tilt_res_min, tilt_res_max = min(tilt[True, True]), max(tilt[True, True])
tilt_plain_min = min(tilt[False, False])
tilt_plain_max = max(tilt[False, False])
largest_plain = norms[False, False].max().item()
loss_res_min, loss_res_max = min(loss[True, False]), max(loss[True, False])
size_bn = max(size[True, True])
# --8<-- [end:four_nets]

# --8<-- [start:gradient_figure]
# docs: near 0.6
# docs: alt Норма градиента каждой из 109 свёрток до обучения, логарифмическая шкала, два графика; линия — середина трёх запусков, полоса — от меньшего до большего. С BatchNorm: у простой сети градиент растёт к первым свёрткам на пять порядков, у остаточной почти ровный. Без BatchNorm: у простой сети он крошечный и к первым свёрткам не убывает, у остаточной огромен во всех свёртках.
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(6, 3.6), sharey=True)
for axis, batch_norm in zip(axes, (True, False), strict=True):
    for residual, color in ((False, "C0"), (True, "C1")):
        low, middle, high = norms[residual, batch_norm].sort(dim=0).values
        name = "остаточная" if residual else "простая"
        axis.plot(range(1, 110), middle, color, label=name)
        axis.fill_between(range(1, 110), low, high, color=color, alpha=0.3)
    title = "с BatchNorm" if batch_norm else "без BatchNorm"
    axis.set(title=title, xlabel="номер свёртки", yscale="log")
axes[0].set(ylabel="норма градиента", ylim=(1e-12, 1e9))
axes[0].legend(loc="lower left")
fig.tight_layout()
plt.show()
# --8<-- [end:gradient_figure]

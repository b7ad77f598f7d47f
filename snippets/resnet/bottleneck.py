# --8<-- [start:cost]
from torch import nn


def conv(in_dim, out_dim, kernel):
    return nn.Conv2d(
        in_dim, out_dim, kernel, padding=kernel // 2, bias=False
    )


bottleneck = nn.Sequential(
    conv(256, 64, 1),  # сжать каналы
    conv(64, 64, 3),  # посмотреть по сторонам
    conv(64, 256, 1),  # расширить обратно
)
branches = {
    "две 3 × 3 на 256 каналах": [conv(256, 256, 3), conv(256, 256, 3)],
    "горлышко на 256 каналах": bottleneck,
    "две 3 × 3 на 64 каналах": [conv(64, 64, 3), conv(64, 64, 3)],
    "проекция 256 → 256": [conv(256, 256, 1)],
}
for name, layers in branches.items():
    n_weights = sum(layer.weight.numel() for layer in layers)
    print(f"{name:25} {n_weights:9,} весов".replace(",", " "))
# --8<-- [end:cost]

# --8<-- [start:stride]
import torch


def seen(kernel):
    """Доля точек входа, которые видит свёртка с шагом 2."""
    x = torch.zeros(1, 1, 16, 16, requires_grad=True)
    conv = nn.Conv2d(1, 1, kernel, stride=2, padding=kernel // 2)
    nn.init.ones_(conv.weight)
    conv(x).sum().backward()
    return (x.grad != 0).float().mean().item()


print(f"шаг 2 у свёртки 1 × 1 (v1):   видно {seen(1):.0%} точек")
print(f"шаг 2 у свёртки 3 × 3 (v1.5): видно {seen(3):.0%} точек")
# --8<-- [end:stride]

# --8<-- [start:agree]
import torch.nn.functional as F

from modern_nets.resnet import Bottleneck

block = Bottleneck(256, 512, stride=2).eval()
x = torch.randn(2, 256, 56, 56)  # (B, C, H, W)
with torch.no_grad():
    narrow = F.relu(block.bn1(block.conv1(x)))  # 1 × 1: сжать
    small = F.relu(block.bn2(block.conv2(narrow)))  # 3 × 3, шаг 2
    wide = block.bn3(block.conv3(small))  # 1 × 1: расширить
    out = F.relu(wide + block.downsample(x))

    for h in (narrow, small, wide, out):
        print(tuple(h.shape))
    print("шаги и блок совпали:", torch.allclose(out, block(x), atol=1e-6))
# --8<-- [end:agree]

# --8<-- [start:original]
import torch
import torch.nn as nn


class ResidualBlock(nn.Module):
    def __init__(self, in_dim, out_dim):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_dim, out_dim, kernel_size=3, padding=1),
            nn.BatchNorm2d(out_dim),
            nn.ReLU(),
            nn.Conv2d(out_dim, out_dim, kernel_size=3, padding=1),
            nn.BatchNorm2d(out_dim),
        )
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.conv(x) + x)


x = torch.randn(2, 64, 16, 16)  # (B, C, H, W)
print("64 → 64:", tuple(ResidualBlock(64, 64)(x).shape))
# --8<-- [end:original]

# --8<-- [start:fails]
try:
    ResidualBlock(64, 128)(x)
except RuntimeError as error:
    print("64 → 128:", error)

try:
    ResidualBlock(64, 64, stride=2)
except TypeError as error:
    print("шаг 2:", str(error).split(".")[-1])
# --8<-- [end:fails]


# --8<-- [start:half_mended]
class HalfMendedBlock(ResidualBlock):
    """Прямой путь чинится, только если сменилось число каналов."""

    def __init__(self, in_dim, out_dim, stride=1):
        super().__init__(in_dim, out_dim)
        self.conv[0].stride = (stride, stride)
        self.shortcut = nn.Identity()
        if in_dim != out_dim:
            self.shortcut = nn.Conv2d(in_dim, out_dim, 1, stride)

    def forward(self, x):
        return self.relu(self.conv(x) + self.shortcut(x))


print("64 → 128, шаг 1:", tuple(HalfMendedBlock(64, 128)(x).shape))
print("64 → 128, шаг 2:", tuple(HalfMendedBlock(64, 128, 2)(x).shape))
try:
    HalfMendedBlock(64, 64, 2)(x)
except RuntimeError as error:
    print("64 → 64,  шаг 2:", error)
# --8<-- [end:half_mended]

# --8<-- [start:projection]
torch.manual_seed(0)
project = nn.Conv2d(64, 128, kernel_size=1, stride=2, bias=False)

shortcut = project(x)  # (2, 64, 16, 16) → (2, 128, 8, 8)
# То же без свёртки: каждая вторая точка, и в ней матрица 128 × 64.
points = x[:, :, ::2, ::2]  # (2, 64, 8, 8)
by_hand = torch.einsum("oc,bchw->bohw", project.weight[:, :, 0, 0], points)

print("форма:", tuple(shortcut.shape))
print("совпали:", torch.allclose(shortcut, by_hand, atol=1e-5))
print("весов:", project.weight.numel())
# --8<-- [end:projection]

# --8<-- [start:mended]
from modern_nets.resnet import ResidualBlock

for out_dim, stride in ((64, 1), (128, 1), (64, 2), (128, 2)):
    block = ResidualBlock(64, out_dim, stride)
    same = isinstance(block.shortcut, nn.Identity)
    path = "сам x" if same else "проекция 1 × 1"
    print(f"64 → {out_dim}, шаг {stride}: {tuple(block(x).shape)}, {path}")
# --8<-- [end:mended]

# --8<-- [start:agree]
import torch.nn.functional as F

block = ResidualBlock(64, 128, stride=2).eval()
conv_1, norm_1, _, conv_2, norm_2 = block.residual
project, norm_s = block.shortcut

h = F.conv2d(x, conv_1.weight, stride=2, padding=1)  # (2, 128, 8, 8)
h = F.relu(norm_1(h))
h = norm_2(F.conv2d(h, conv_2.weight, padding=1))  # F(x): ещё без ReLU
s = norm_s(F.conv2d(x, project.weight, stride=2))  # (2, 128, 8, 8)
out = F.relu(h + s)  # ReLU — после суммы

print("шаги и блок совпали:", torch.allclose(out, block(x), atol=1e-6))
# --8<-- [end:agree]

# --8<-- [start:idle_bias]
conv = nn.Conv2d(64, 64, 3, padding=1, bias=True)
norm = nn.BatchNorm2d(64)  # в режиме обучения

before = norm(conv(x))
conv.bias.data += 5.0  # сдвигаем каждый канал на 5
after = norm(conv(x))
print("выход тот же:", torch.allclose(before, after, atol=1e-4))
# --8<-- [end:idle_bias]

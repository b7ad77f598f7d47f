# --8<-- [start:module]
import torch
from torch import nn


class ModuleBlock(nn.Module):  # так блок записан в модуле
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


x = torch.randn(2, 64, 8, 8)
print("64 → 64: ", tuple(ModuleBlock(64, 64)(x).shape))
try:
    ModuleBlock(64, 128)(x)
except RuntimeError as error:
    print("64 → 128:", str(error).split(" at ")[0])
# --8<-- [end:module]


# --8<-- [start:mended]
from modern_nets.resnet import ResidualBlock

print("64 → 128:        ", tuple(ResidualBlock(64, 128)(x).shape))
print("64 → 64, шаг 2:  ", tuple(ResidualBlock(64, 64, stride=2)(x).shape))
# --8<-- [end:mended]


# --8<-- [start:bias]
torch.manual_seed(0)
block = ModuleBlock(64, 64).double()
x = torch.randn(2, 64, 8, 8, dtype=torch.float64)
before = block(x)
block.conv[0].bias.data += 5.0  # сдвигаем сдвиг
print("выход изменился:", not torch.allclose(before, block(x)))
# --8<-- [end:bias]


# --8<-- [start:relu]
inner = block.conv(x)  # F(x)
print("у F(x) + x есть отрицательные числа:", bool((inner + x < 0).any()))
print("у выхода блока есть отрицательные:  ", bool((block(x) < 0).any()))
# --8<-- [end:relu]

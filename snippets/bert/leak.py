import torch

# Каждое слово смотрит на два других, на себя не смотрит никто.
look = (1 - torch.eye(3)) / 2

for first in 1.0, 9.0:
    words = torch.tensor([first, 2.0, 6.0])
    layer_1 = look @ words
    layer_2 = look @ layer_1
    print(f"первое слово {first:.0f}; на его месте", end=" ")
    print(f"слой 1 оставил {layer_1[0]:.1f}, слой 2 — {layer_2[0]:.1f}")

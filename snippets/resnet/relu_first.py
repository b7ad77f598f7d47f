# docs: near 0.1
# docs: quote usual_max relu_first_min
# docs: expect relu_first_min > 2 * usual_max
import torch

from modern_nets.resnet import ResidualBlock


class ReluFirst(ResidualBlock):
    """Ошибка: ReLU стоит до сложения, и поправка всегда ≥ 0."""

    def forward(self, x):
        return x + torch.relu(self.residual(x))


def mean_after(block, seed, n_blocks=54):
    torch.manual_seed(seed)
    x = torch.randn(64, 16, 4, 4).relu()
    with torch.no_grad():
        for _ in range(n_blocks):
            x = block(16, 16)(x)
    return x.mean().item()


usual = [mean_after(ResidualBlock, seed) for seed in range(3)]
relu_first = [mean_after(ReluFirst, seed) for seed in range(3)]
usual_max, relu_first_min = max(usual), min(relu_first)
print("среднее после 54 блоков, по трём зёрнам")
print("ReLU после суммы:", *[f"{mean:5.1f}" for mean in usual])
print("ReLU до суммы:   ", *[f"{mean:5.1f}" for mean in relu_first])

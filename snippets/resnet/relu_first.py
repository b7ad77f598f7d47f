# docs: near 0.1
# docs: quote usual relu_first
# docs: expect relu_first > 2 * usual
import torch

from modern_nets.resnet import ResidualBlock


class ReluFirst(ResidualBlock):
    """Ошибка: ReLU стоит до сложения, и поправка всегда ≥ 0."""

    def forward(self, x):
        return x + torch.relu(self.residual(x))


def mean_after(block, n_blocks=54):
    torch.manual_seed(0)
    x = torch.randn(64, 16, 4, 4).relu()
    with torch.no_grad():
        for _ in range(n_blocks):
            x = block(16, 16)(x)
    return x.mean().item()


usual, relu_first = mean_after(ResidualBlock), mean_after(ReluFirst)
print(f"среднее после 54 блоков, ReLU после суммы: {usual:.1f}")
print(f"среднее после 54 блоков, ReLU до суммы:    {relu_first:.1f}")

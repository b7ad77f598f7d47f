# docs: near 0.1
# docs: quote plain_millions residual_first
import torch
from torch import nn


class Stack(nn.Module):
    """Пары свёрток с BatchNorm; с прямым путём или без него."""

    def __init__(self, n_blocks, residual, width=12):
        super().__init__()
        self.residual = residual
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
            )
            for _ in range(n_blocks)
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = torch.relu(block(x) + x if self.residual else block(x))
        return self.head(x.mean(dim=(2, 3)))


def first_gradient(residual):
    torch.manual_seed(0)
    net = Stack(54, residual).double()
    x = torch.randn(64, 1, 8, 8, dtype=torch.float64)
    loss = nn.functional.cross_entropy(net(x), torch.randint(10, (64,)))
    loss.backward()
    return net.blocks[0][0].weight.grad.norm().item()


plain_first, residual_first = first_gradient(False), first_gradient(True)
plain_millions = plain_first / 1e6
print(f"без прямого пути: {plain_first / 1e6:.1f} млн")
print(f"с прямым путём:   {residual_first:.1f}")

# --8<-- [start:neighbours]
# docs: near 0.05
# docs: quote batch_shift layer_shift
# docs: expect batch_shift > 0.1 and layer_shift < 1e-6
import torch
from torch import nn

torch.manual_seed(0)
token = torch.randn(1, 8)
neighbours = torch.randn(2, 3, 8)  # две тройки соседей по пакету


def shift(norm):
    """Насколько ответ для токена зависит от соседей."""
    first, second = (norm(torch.cat([token, n]))[0] for n in neighbours)
    return (first - second).abs().max().item()


batch_shift, layer_shift = shift(nn.BatchNorm1d(8)), shift(nn.LayerNorm(8))
print(f"BatchNorm: ответ сдвинулся на {batch_shift:.2f}")
print(f"LayerNorm: ответ сдвинулся на {layer_shift:.2f}")
# --8<-- [end:neighbours]


# --8<-- [start:wrong]
def layer_norm(x, eps=1e-5):
    return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + eps)


token = torch.tensor([1.0, 0.0, 0.0, 0.0])
reference = nn.LayerNorm(4, elementwise_affine=False)
try:
    torch.testing.assert_close(layer_norm(token), reference(token))
except AssertionError:
    ours, theirs = layer_norm(token), reference(token)
    print(f"наша: {ours[0]:.2f}, PyTorch: {theirs[0]:.2f}")
# --8<-- [end:wrong]


# --8<-- [start:right]
def layer_norm(x, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, keepdim=True, correction=0)  # делим на D
    return (x - mean) / (variance + eps).sqrt()  # eps под корнем


for x in (token, token / 1000):
    torch.testing.assert_close(layer_norm(x), reference(x))
    ours, theirs = layer_norm(x)[0], reference(x)[0]
    print(f"вход {x[0]:g}: наша {ours:.2f}, PyTorch {theirs:.2f}")
# --8<-- [end:right]

# --8<-- [start:causal]
import torch
from modern_nets.attention import attention, causal_mask

torch.set_printoptions(precision=3)
q = k = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
v = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
mask = causal_mask(3)  # (T, S): строка — кто смотрит, столбец — на кого
output, weights = attention(q, k, v, mask)
print(mask.int())
print(weights)
print(output)
# --8<-- [end:causal]


# --8<-- [start:polarity]
from torch import nn


def leaks(layer):
    """Меняем последний токен: изменились ли ответы для остальных?"""
    torch.manual_seed(0)
    x = torch.randn(1, 5, 16)
    changed = x.clone()
    changed[:, -1] = torch.randn(16)  # прибавку LayerNorm мог бы стереть
    before, after = layer(x)[:, :-1], layer(changed)[:, :-1]
    return not torch.allclose(before, after, atol=1e-6)


allowed = causal_mask(5)  # True — смотреть можно
mha = nn.MultiheadAttention(16, 4, batch_first=True)
try:
    assert not leaks(lambda x: mha(x, x, x, attn_mask=allowed)[0])
except AssertionError:
    print("allowed:  токены видят будущее")
assert not leaks(lambda x: mha(x, x, x, attn_mask=~allowed)[0])
print("~allowed: утечки нет")
# --8<-- [end:polarity]


# --8<-- [start:fully_masked]
import torch.nn.functional as F

closed = torch.tensor([[True, True, False], [False, False, False]])
scores = torch.tensor([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0]])
for name, hole in [("−∞", float("-inf")), ("−1e9", -1e9)]:
    row = scores.masked_fill(~closed, hole).softmax(-1)[1]
    print(f"закрыто всё, {name:4}:", row)
try:
    assert row.sum() == 0, "закрытые токены получили вес"
except AssertionError as error:
    print("ошибка:", error)
# --8<-- [end:fully_masked]


# --8<-- [start:fully_masked_fixed]
ours, our_weights = attention(q[:2], k, v, closed)
fused = F.scaled_dot_product_attention(
    q[None, :2], k[None], v[None], closed
)
print("modern_nets:", our_weights[1], ours[1])
print("PyTorch:    ", fused[0, 1])
# --8<-- [end:fully_masked_fixed]


# --8<-- [start:batch]
from modern_nets.attention import MultiHeadAttention, padding_mask

torch.manual_seed(0)
real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])  # 0 — заполнитель
x = torch.randn(2, 5, 16)
layer = MultiHeadAttention(16, n_heads=2)
alone = layer(x[1:, :2])[0]  # второй пример сам по себе, без заполнителей

wrong = real.bool()[:, None]  # (2, 1, 5): двойка попала на ось голов
right = padding_mask(real)  # (2, 1, 1, 5)
for name, mask in [("(2, 1, 5)", wrong), ("(2, 1, 1, 5)", right)]:
    together = layer(x, mask=mask)[1, :2]
    same = torch.allclose(together, alone, atol=1e-6)
    print(f"маска {name:12} как поодиночке: {same}")
# --8<-- [end:batch]

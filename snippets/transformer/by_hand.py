# --8<-- [start:dictionary]
phones = {"Анна": 3, "Борис": 7, "Вера": 5}
print(phones["Борис"])
try:
    print(phones["Бориса"])
except KeyError as error:
    print("нет такого ключа:", error)
# --8<-- [end:dictionary]


# --8<-- [start:three_tokens]
import torch

torch.set_printoptions(precision=3)
q = k = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # (T, K)
v = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])

scores = q @ k.T / 2**0.5  # (T, T): строка — запрос, столбец — ключ
weights = scores.softmax(dim=-1)  # каждая строка в сумме даёт 1
output = weights @ v  # (T, ширина значений)
print(weights)
print(output)
# --8<-- [end:three_tokens]


# --8<-- [start:agree]
import torch.nn.functional as F
from modern_nets.attention import attention

ours, our_weights = attention(q, k, v)
fused = F.scaled_dot_product_attention(q[None], k[None], v[None])[0]
print("формула и modern_nets:", torch.equal(ours, output))
print("формула и PyTorch:    ", torch.allclose(fused, output))
# --8<-- [end:agree]

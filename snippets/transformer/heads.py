# --8<-- [start:shapes]
import torch
from modern_nets.attention import MultiHeadAttention

torch.manual_seed(0)
B, T, D, H = 2, 5, 16, 4
K = D // H  # ширина головы: 16 / 4 = 4
x = torch.randn(B, T, D)
layer = MultiHeadAttention(D, H)  # берём только его веса, считаем сами

q = layer.query(x)  # (B, T, D)
q = q.view(B, T, H, K).transpose(1, 2)  # (B, H, T, K)
k = layer.key(x).view(B, T, H, K).transpose(1, 2)
v = layer.value(x).view(B, T, H, K).transpose(1, 2)
weights = (q @ k.mT / K**0.5).softmax(dim=-1)  # (B, H, T, T)
heads = weights @ v  # (B, H, T, K)
joined = heads.transpose(1, 2).reshape(B, T, D)  # головы снова рядом
output = layer.output(joined)  # последняя проекция их смешивает
print("q      ", tuple(q.shape))
print("weights", tuple(weights.shape))
print("heads  ", tuple(heads.shape))
print("joined ", tuple(joined.shape))
# --8<-- [end:shapes]


# --8<-- [start:agree]
same = torch.allclose(output, layer(x), atol=1e-6)
print("совпадает с MultiHeadAttention:", same)

mixed = layer.query(x).view(B, H, T, K)  # «та же» форма одним вызовом
print("форма та же:", mixed.shape == q.shape)
print("числа те же:", torch.equal(mixed, q))

for n_heads in (1, 2, 4, 8):
    parts = MultiHeadAttention(D, n_heads).parameters()
    print(f"голов {n_heads}: параметров", sum(p.numel() for p in parts))
# --8<-- [end:agree]

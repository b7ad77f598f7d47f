# --8<-- [start:without]
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x = F.layer_norm(torch.randn(8, 16), (16,))  # 8 токенов одной длины
scores = x @ x.T  # запросы и ключи — сами токены
on_self = (scores.argmax(-1) == torch.arange(8)).sum().item()
print("сходства симметричны:", torch.allclose(scores, scores.T))
print(f"сильнее всего смотрят на себя: {on_self} из 8")
# --8<-- [end:without]


# --8<-- [start:with_projections]
query, key = nn.Linear(16, 16, bias=False), nn.Linear(16, 16, bias=False)
scores = query(x) @ key(x).T
on_self = (scores.argmax(-1) == torch.arange(8)).sum().item()
print("сходства симметричны:", torch.allclose(scores, scores.T))
print(f"сильнее всего смотрят на себя: {on_self} из 8")
# --8<-- [end:with_projections]

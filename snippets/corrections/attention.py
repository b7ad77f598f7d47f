# --8<-- [start:weights]
import torch
from modern_nets.attention import attention, causal_mask

q = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # три токена, K = Q
_, everyone = attention(q, q, q)
_, past = attention(q, q, q, causal_mask(3))
print("энкодер      декодер")
for left, right in zip(everyone.tolist(), past.tolist()):
    print(*(f"{w:.2f}" for w in left), " ", *(f"{w:.2f}" for w in right))
# --8<-- [end:weights]


# --8<-- [start:price]
# docs: quote quadratic_1024 quadratic_16384 growth
d = 768  # ширина BERT-base и GPT-2
print(f"{'токенов':>8}{'млрд операций':>15}{'из них T²':>11}")
for t in (512, 1024, 4608, 16384):
    linear, quadratic = 24 * t * d**2, 4 * t**2 * d  # на один слой
    total = linear + quadratic
    print(f"{t:>8}{total / 1e9:>15.0f}{quadratic / total:>11.0%}")


def cost(t):
    return 24 * t * d**2 + 4 * t**2 * d


quadratic_1024 = 4 * 1024**2 * d / cost(1024)
quadratic_16384 = 4 * 16384**2 * d / cost(16384)
growth = cost(16384) / cost(1024)
# --8<-- [end:price]

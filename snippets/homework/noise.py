# docs: quote error_10000 error_2000 error_100
from math import sqrt


def interval(p, n):
    """Половина 95-процентного интервала для доли p по n независимым ответам."""
    return 1.96 * sqrt(p * (1 - p) / n)


error_10000, error_2000, error_100 = (
    interval(0.93, n) for n in (10_000, 2_000, 100)
)
print(f"точность 93 % на 10 000 картинках: ± {error_10000:.1%}")
print(f"на  2 000 (кошки и собаки CIFAR-10): ± {error_2000:.1%}")
print(f"на    100:                           ± {error_100:.1%}")

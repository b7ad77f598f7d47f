# --8<-- [start:count]
import torch
from torch.utils.flop_counter import FlopCounterMode
from modern_nets.attention import MultiHeadAttention


def flops(T, D):
    """Сколько операций насчитает сам PyTorch (без вычислений: meta)."""
    with torch.device("meta"):
        layer = MultiHeadAttention(D, n_heads=D // 64)
        up, down = torch.nn.Linear(D, 4 * D), torch.nn.Linear(4 * D, D)
        x = torch.empty(1, T, D)
    with FlopCounterMode(display=False) as counter:
        x = layer(x, attentions=[])  # по формуле, без слитной функции
        down(up(x))
    return counter.get_total_flops()


for T, D in [(128, 768), (1024, 768), (4608, 768), (1024, 512)]:
    formula = 24 * T * D**2 + 4 * T**2 * D
    share = 4 * T**2 * D / formula
    print(
        f"T = {T:4}, D = {D}: {flops(T, D) == formula}, доля T² {share:.0%}"
    )
# --8<-- [end:count]


# --8<-- [start:timing]
# docs: timed
# docs: quote crossing lstm_growth attention_growth
# docs: alt Время шага обучения против длины в логарифмических осях: прямая LSTM с наклоном один, кривая внимания начинает ниже, поднимается всё круче и обгоняет LSTM
import time

import matplotlib.pyplot as plt


def milliseconds(layer, x):
    """Шаг обучения: слой вперёд и назад; лучшее время из девяти."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        layer(x).sum().backward()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


D, lengths = 128, [64, 128, 256, 512, 1024, 2048]
lstm = torch.nn.LSTM(D, D, batch_first=True)
layers = {
    "LSTM": lambda x: lstm(x)[0],
    "внимание": MultiHeadAttention(D, n_heads=2),
}
ms = {name: [] for name in layers}
for T in lengths:
    x = torch.randn(1, T, D)
    for name, layer in layers.items():
        ms[name].append(milliseconds(layer, x))
    a, b = (values[-1] for values in ms.values())
    print(f"T = {T:4}: LSTM {a:.3g} мс, внимание {b:.3g} мс")

slower = [T for T, a, b in zip(lengths, *ms.values(), strict=True) if b > a]
crossing = slower[0] if slower else lengths[-1]
lstm_growth, attention_growth = (m[-1] / m[-2] for m in ms.values())

fig, ax = plt.subplots(figsize=(5, 3))
for (name, values), style in zip(ms.items(), ("s-C1", "o-C0"), strict=True):
    ax.loglog(lengths, values, style, label=name)
ax.set(xlabel="длина T", ylabel="шаг обучения, мс")
ax.set_xticks(lengths, [str(T) for T in lengths])
ax.minorticks_off()
ax.legend()
plt.show()
# --8<-- [end:timing]

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
# docs: alt Время внимания и MLP против длины последовательности в логарифмических осях: прямая MLP с наклоном один, внимание начинает ниже, растёт круче и обгоняет MLP
import time

import matplotlib.pyplot as plt
import torch.nn.functional as F


def milliseconds(function):
    times = []
    for _ in range(4):  # первый запуск — разогрев
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * min(times[1:])


D, lengths = 128, [128, 256, 512, 1024, 2048]
up, down = torch.nn.Linear(D, 4 * D), torch.nn.Linear(4 * D, D)
attention_ms, mlp_ms = [], []
with torch.no_grad():
    for T in lengths:
        x = torch.randn(1, T, D)
        q = x.view(1, T, 2, 64).transpose(1, 2)  # (B, H, T, K)
        attention_ms.append(
            milliseconds(lambda q=q: (q @ q.mT / 8).softmax(-1) @ q)
        )
        mlp_ms.append(milliseconds(lambda x=x: down(F.gelu(up(x)))))
        print(
            f"T = {T:4}: внимание {attention_ms[-1]:.3g} мс, "
            f"MLP {mlp_ms[-1]:.3g} мс"
        )

fig, ax = plt.subplots(figsize=(5, 3))
ax.loglog(lengths, attention_ms, "o-", label="внимание без проекций")
ax.loglog(lengths, mlp_ms, "s-", label="MLP")
ax.set(xlabel="длина T", ylabel="время, мс")
ax.set_xticks(lengths, [str(T) for T in lengths])
ax.minorticks_off()
ax.legend()
plt.show()
# --8<-- [end:timing]

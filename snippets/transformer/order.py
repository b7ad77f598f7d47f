# --8<-- [start:permutation]
# docs: quote without_positions
# docs: expect without_positions < 1e-12
import torch
from modern_nets.attention import MultiHeadAttention

torch.manual_seed(0)
words = ["казнить", ",", "нельзя", "помиловать"]
embeddings = torch.randn(4, 32, dtype=torch.float64)
vector = dict(zip(words, embeddings, strict=True))
layer = MultiHeadAttention(32, n_heads=4).double()  # двойная точность

execute = ["казнить", ",", "нельзя", "помиловать"]
pardon = ["казнить", "нельзя", ",", "помиловать"]


def read(phrase, positions=0.0):
    x = torch.stack([vector[word] for word in phrase]) + positions
    return dict(zip(phrase, layer(x[None])[0], strict=True))


def compare(positions=0.0):
    first, second = read(execute, positions), read(pardon, positions)
    return {w: (first[w] - second[w]).abs().max().item() for w in words}


for word, difference in compare().items():
    print(f"{word:11} различие меньше 1e-12: {difference < 1e-12}")
without_positions = max(compare().values())
# --8<-- [end:permutation]


# --8<-- [start:sinusoids]
# docs: near 0.05
# docs: alt Карта синусоидальных позиций: слева столбцы часто меняют цвет сверху вниз, вправо полосы становятся длиннее
import matplotlib.pyplot as plt


def sinusoids(n_positions, d_model):
    """Vaswani et al., 2017, раздел 3.5: у каждой пары чисел своя частота."""
    position = torch.arange(n_positions)[:, None]  # (T, 1)
    pair = torch.arange(0, d_model, 2)  # 0, 2, 4, …
    angle = position / 10_000 ** (pair / d_model)  # (T, D/2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


table = sinusoids(50, 64)  # (T, D)
fig, ax = plt.subplots(figsize=(5, 3.4))
image = ax.imshow(table.numpy(), aspect="auto", cmap="viridis")
ax.set(xlabel="номер числа в векторе", ylabel="позиция токена")
fig.colorbar(image)
plt.show()
for a, b in [(0, 3), (10, 13), (40, 43)]:
    print(f"позиции {a} и {b}: {(table[a] @ table[b]).item():.2f}")
# --8<-- [end:sinusoids]


# --8<-- [start:settled]
# docs: near 0.05
# docs: quote with_positions
# docs: expect with_positions > 0.01
from modern_nets.transformer import sinusoidal_positions

ready = sinusoidal_positions(50, 64)
print("modern_nets:", torch.allclose(ready, table, atol=1e-5))
for word, difference in compare(sinusoidal_positions(4, 32)).items():
    print(f"{word:11} различие {difference:.2f}")
with_positions = difference  # у последнего слова, «помиловать»
# --8<-- [end:settled]

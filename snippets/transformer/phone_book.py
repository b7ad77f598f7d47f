# --8<-- [start:task]
import torch
import torch.nn.functional as F
from torch import nn

NAMES = """
    Анна Борис Вера Глеб Дина Егор Жанна Захар Инна Кирилл
    Лев Майя Нина Олег Павел Роза Семён Таня Ульяна Фёдор
"""
PEOPLE = NAMES.split()
N_DIGITS, UNKNOWN = 10, 10  # цифры 0…9 и особый номер для «?»


def phone_book(batch, length, generator):
    """Записи «имя — цифра», последним токеном — вопрос «имя — ?»."""
    order = torch.rand(batch, len(PEOPLE), generator=generator)
    names = order.argsort(-1)[:, :length]  # имена не повторяются
    digits = torch.randint(N_DIGITS, (batch, length), generator=generator)
    asked = torch.randint(length, (batch, 1), generator=generator)
    answer = digits.gather(1, asked)[:, 0]
    names = torch.cat([names, names.gather(1, asked)], dim=1)  # (B, T)
    question = torch.full((batch, 1), UNKNOWN)
    return names, torch.cat([digits, question], dim=1), answer


names, digits, answer = phone_book(1, 4, torch.Generator().manual_seed(1))
for name, digit in zip(names[0].tolist(), digits[0].tolist(), strict=True):
    print(f"{PEOPLE[name]:7} — {'?' if digit == UNKNOWN else digit}")
print("ответ:", answer.item())
# --8<-- [end:task]


# --8<-- [start:rnn]
# docs: near 0.3
# docs: limit 120
# docs: quote gru_2 gru_16
class Answerer(nn.Module):
    """Эмбеддинги записей → читатель, который их связывает → цифра."""

    def __init__(self, reader, d_model=32):
        super().__init__()
        self.name = nn.Embedding(len(PEOPLE), d_model)
        self.digit = nn.Embedding(N_DIGITS + 1, d_model)
        self.reader = reader
        self.head = nn.Linear(d_model, N_DIGITS)

    def forward(self, names, digits):
        x = self.name(names) + self.digit(digits)  # (B, T, D)
        return self.head(self.reader(x))  # (B, 10)


class GRUReader(nn.Module):
    def __init__(self, d_model=32):
        super().__init__()
        self.gru = nn.GRU(d_model, d_model, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0][:, -1]  # состояние после вопроса, (B, D)


def train(make_reader, length, steps=300):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = Answerer(make_reader())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        names, digits, answer = phone_book(64, length, generator)
        loss = F.cross_entropy(model(names, digits), answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():  # справочники, которых сеть не видела
        names, digits, answer = phone_book(2000, length, generator)
        right = model(names, digits).argmax(-1) == answer
    counts = F.one_hot(digits[:, :-1], N_DIGITS).sum(1)  # (B, 10)
    most_frequent = counts.max(-1).values / length  # советчик
    return model, right.float().mean().item(), most_frequent.mean().item()


lengths = [2, 4, 8, 16]
gru_accuracy = []
for length in lengths:
    _, share, baseline = train(GRUReader, length)
    gru_accuracy.append(share)
    print(f"записей {length:2}: GRU {share:.0%}, советчик {baseline:.0%}")
gru_2, gru_16 = gru_accuracy[0], gru_accuracy[-1]
# --8<-- [end:rnn]


# --8<-- [start:attention]
# docs: near 0.3
# docs: quote attention_16
# docs: alt Доля верных ответов против числа записей: GRU падает с половины до одной пятой, внимание держится у ста процентов
import matplotlib.pyplot as plt
from modern_nets.attention import MultiHeadAttention


class AttentionReader(nn.Module):
    def __init__(self, d_model=32):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads=1)

    def forward(self, x):
        question, book = x[:, -1:], x[:, :-1]  # (B, 1, D) и (B, T−1, D)
        return self.attention(question, context=book)[:, 0]  # (B, D)


attention_accuracy = []
for length in lengths:
    model, share, _ = train(AttentionReader, length)
    attention_accuracy.append(share)
    print(f"записей {length:2}: внимание {share:.0%}")
attention_16 = attention_accuracy[-1]

fig, ax = plt.subplots(figsize=(5, 3))
ax.plot(lengths, attention_accuracy, "o-", label="внимание")
ax.plot(lengths, gru_accuracy, "s-", label="GRU")
ax.axhline(1 / N_DIGITS, color="gray", ls=":", label="цифра наугад")
ax.set(
    xlabel="записей в справочнике",
    ylabel="доля верных ответов",
    xticks=lengths,
    ylim=(0, 1.05),
)
ax.legend()
plt.show()
# --8<-- [end:attention]


# --8<-- [start:look]
# docs: near 0.3
names, digits, _ = phone_book(1, 4, torch.Generator().manual_seed(1))
with torch.no_grad():
    x = model.name(names) + model.digit(digits)  # (1, 5, D)
    collected = []
    model.reader.attention(
        x[:, -1:], context=x[:, :-1], attentions=collected
    )
    weights = collected[0]  # (B, H, T, S) = (1, 1, 1, 4)
print("спрашивают:", PEOPLE[names[0, -1]])
for name, weight in zip(names[0], weights.flatten(), strict=False):
    print(f"{PEOPLE[name]:7} {weight:.2f}")
# --8<-- [end:look]

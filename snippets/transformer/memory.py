# --8<-- [start:tasks]
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

NAMES = """
    Анна Борис Вера Глеб Дина Егор Жанна Захар Инна Кирилл
    Лев Майя Нина Олег Павел Роза Семён Таня Ульяна Фёдор
"""
PEOPLE = NAMES.split()
N_DIGITS = 10
ASK, NOTHING, FIRST_NAME = 10, 11, 12  # номера после цифр 0…9
WORDS = [*"0123456789?", "", *PEOPLE]


def phone_book(batch, length, generator):
    """Записи «имя — цифра», последним токеном — вопрос «имя — ?»."""
    order = torch.rand(batch, len(PEOPLE), generator=generator)
    names = order.argsort(-1)[:, :length] + FIRST_NAME  # без повторов
    digits = torch.randint(N_DIGITS, (batch, length), generator=generator)
    asked = torch.randint(length, (batch, 1), generator=generator)
    answer = digits.gather(1, asked)[:, 0]
    names = torch.cat([names, names.gather(1, asked)], dim=1)
    digits = F.pad(digits, (0, 1), value=ASK)
    return torch.stack([names, digits], dim=-1), answer  # (B, T, 2)


def recall(batch, distance, generator):
    """Цифра, за ней имена без цифр; через distance токенов — «?»."""
    names = torch.randint(
        len(PEOPLE), (batch, distance + 1), generator=generator
    )
    answer = torch.randint(N_DIGITS, (batch,), generator=generator)
    digits = torch.full_like(names, NOTHING)
    digits[:, 0], digits[:, -1] = answer, ASK
    names = names + FIRST_NAME
    names[:, [0, -1]] = NOTHING
    return torch.stack([names, digits], dim=-1), answer


def adviser(length):
    """Советчик: всегда называет самую частую цифру справочника."""
    tokens, _ = phone_book(2000, length, torch.Generator().manual_seed(0))
    counts = F.one_hot(tokens[:, :-1, 1], N_DIGITS).sum(1)  # (B, 10)
    return counts.max(-1).values.float().mean().item() / length


# --8<-- [end:tasks]


# --8<-- [start:training]
class Answerer(nn.Module):
    """Эмбеддинги → читатель, который связывает токены → цифра."""

    def __init__(self, reader, d_model=24):
        super().__init__()
        self.table = nn.Embedding(len(WORDS), d_model)
        nn.init.normal_(self.table.weight, std=0.1)
        self.reader = reader
        self.head = nn.Linear(d_model, N_DIGITS)

    def forward(self, tokens):
        x = self.table(tokens).sum(2)  # имя + цифра: (B, T, D)
        return self.head(self.reader(x))  # (B, 10)


class LSTMReader(nn.Module):
    """Токен за токеном; forget и write — начальные сдвиги вентилей."""

    def __init__(self, d_model=24, forget=1.0, write=0.0):
        super().__init__()
        self.lstm = nn.LSTM(d_model, d_model, batch_first=True)
        with torch.no_grad():
            self.lstm.bias_ih_l0.zero_()
            self.lstm.bias_hh_l0.zero_()
            self.lstm.bias_ih_l0[d_model : 2 * d_model] = forget
            self.lstm.bias_ih_l0[:d_model] = write

    def forward(self, x):
        return self.lstm(x)[0][:, -1]  # состояние после вопроса: (B, D)


def train(make_reader, task, size, seed, steps, batch):
    """Обучает и возвращает модель и долю верных ответов на новом."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = Answerer(make_reader())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, fused=True)
    for _ in range(steps):
        tokens, answer = task(batch, size, generator)
        loss = F.cross_entropy(model(tokens), answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        tokens, answer = task(500, size, generator)
        right = model(tokens).argmax(-1) == answer
    return model, right.float().mean().item()


def study(name, make_reader, task, sizes, **settings):
    """Доли верных ответов с трёх зёрен, по возрастанию, для каждого size."""
    results = []
    for size in sizes:
        runs = [
            train(make_reader, task, size, s, **settings) for s in range(3)
        ]
        low, middle, high = sorted(share for _, share in runs)
        word = "записей" if task is phone_book else "расстояние"
        print(f"{name}, {word} {size:3}: {low:.0%}…{high:.0%}")
        results.append((low, middle, high))
    return results


def draw(ax, sizes, results, style, name):
    """Точка — запуск, линия — медиана."""
    color, marker = style[:2], style[2]
    middle = [runs[1] for runs in results]
    ax.plot(sizes, middle, marker + "-", color=color, ms=4, label=name)
    for x, runs in zip(sizes, results, strict=True):
        ax.plot([x] * 3, runs, marker, color=color, ms=4)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, sizes)
    ax.set(ylabel="доля верных", ylim=(0, 1.05))


# --8<-- [end:training]


# --8<-- [start:example]
def spell(tokens):
    return "  ".join(
        f"{WORDS[name]} {WORDS[digit]}".strip() for name, digit in tokens
    )


book, answer = phone_book(1, 4, torch.Generator().manual_seed(1))
print("справочник: ", spell(book[0].tolist()), "→", answer.item())
far, answer = recall(1, 6, torch.Generator().manual_seed(0))
print("расстояние 6:", spell(far[0].tolist()), "→", answer.item())
# --8<-- [end:example]


# --8<-- [start:lstm]
# docs: near 0.7
# docs: quote lstm_book_2 adviser_2 lstm_far_8 lstm_far_64 kept_8 kept_64
# docs: expect lstm_book_2 < adviser_2 + 0.15
# docs: expect lstm_far_8 > 0.4 and lstm_far_64 < 0.3
entries, distances = [2, 4, 16], [1, 8, 64, 512]
long, short = {"steps": 250, "batch": 32}, {"steps": 250, "batch": 8}

lstm_book = study("LSTM", LSTMReader, phone_book, entries, **long)
print("советчик:", {n: f"{adviser(n):.0%}" for n in entries})
lstm_far = study("LSTM", LSTMReader, recall, distances, **short)

lstm_book_2, adviser_2 = lstm_book[0][-1], adviser(2)
lstm_far_8, lstm_far_64 = lstm_far[1][1], lstm_far[2][-1]
keep = torch.tensor(1.0).sigmoid().item()  # вентиль забывания в начале
kept_8, kept_64 = keep**8, keep**64
# --8<-- [end:lstm]


# --8<-- [start:reader]
from modern_nets.attention import MultiHeadAttention


class AttentionReader(nn.Module):
    """Вопрос — запрос, всё прочитанное — ключи и значения."""

    def __init__(self, d_model=24):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads=1)

    def forward(self, x):
        question, read = x[:, -1:], x[:, :-1]  # (B, 1, D) и (B, T−1, D)
        return self.attention(question, context=read)[:, 0]  # (B, D)


# --8<-- [end:reader]


# --8<-- [start:attention]
# docs: near 0.7
# docs: quote attention_16 lstm_16 attention_512 attention_512_median
# docs: quote tuned_low tuned_64 tuned_high
# docs: expect attention_16 > 0.5 and lstm_16 < 0.4
# docs: expect attention_512_median > 0.7 and tuned_64 > 0.25
# docs: alt Две доли верных ответов, у каждой по три точки запусков. Сверху, от числа записей: внимание у единицы, LSTM падает с половины до одной пятой. Снизу, от расстояния: внимание у единицы до 512; LSTM на 1 у единицы, на 8 ниже, на 64 и 512 у одной десятой; настроенная LSTM на 64 выше обычной, но с разбросом
def tuned():
    """LSTM, которой расстояние 64 сообщили заранее."""
    return LSTMReader(forget=math.log(64), write=-math.log(64))


attend = AttentionReader
attention_book = study("внимание", attend, phone_book, entries, **long)
attention_far = study("внимание", attend, recall, distances, **short)
tuned_far = study("LSTM настроенная", tuned, recall, [64], **short)
attention_16, lstm_16 = attention_book[-1][0], lstm_book[-1][-1]
attention_512, attention_512_median, _ = attention_far[-1]
tuned_low, tuned_64, tuned_high = tuned_far[0]

fig, (top, bottom) = plt.subplots(2, figsize=(5, 5), layout="constrained")
draw(top, entries, attention_book, "C0o", "внимание")
draw(top, entries, lstm_book, "C1s", "LSTM")
draw(bottom, distances, attention_far, "C0o", "внимание")
draw(bottom, [64], tuned_far, "C2^", "LSTM настроенная")
draw(bottom, distances, lstm_far, "C1s", "LSTM")
top.set_xlabel("записей в справочнике")
bottom.set_xlabel("расстояние до цифры, токенов")
labels = bottom.get_legend_handles_labels()
fig.legend(*labels, loc="outside upper center", ncols=3)
plt.show()
# --8<-- [end:attention]


# --8<-- [start:look]
# docs: near 0.7
# docs: quote asked_weight
# docs: expect asked_weight > 0.7
model, _ = train(AttentionReader, phone_book, 16, seed=0, **long)
with torch.no_grad():
    x = model.table(book).sum(2)  # справочник из начала урока: (1, 5, D)
    collected = []
    model.reader.attention(
        x[:, -1:], context=x[:, :-1], attentions=collected
    )
weights = collected[0].flatten().tolist()  # (B, H, T, S) = (1, 1, 1, 4)
print("спрашивают:", spell(book[0, -1:].tolist()))
for token, weight in zip(book[0], weights, strict=False):
    print(f"{spell([token.tolist()]):9} {weight:.1f}")
asked_weight = weights[-1]  # спрашивают о последней записи
# --8<-- [end:look]

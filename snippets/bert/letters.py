# --8<-- [start:words]
from string import ascii_lowercase

import torch
import torch.nn.functional as F
from torch import nn

from modern_nets import at_hand
from modern_nets.attention import MultiHeadAttention
from modern_nets.attention import causal_mask, padding_mask

PAD, MASK, LONGEST = 0, 27, 8  # буквы a–z — номера 1–26


def encode(words):
    rows = torch.full((len(words), LONGEST), PAD)  # (B, 8)
    for row, word in zip(rows, words, strict=True):
        numbers = [MASK if c == "_" else ord(c) - 96 for c in word]
        row[: len(word)] = torch.tensor(numbers)
    return rows


vocabulary = (at_hand("minilm") / "vocab.txt").read_text("utf-8").split()
spellable = [w for w in vocabulary if set(w) <= set(ascii_lowercase)]
words = [w for w in spellable if 4 <= len(w) <= LONGEST]
torch.manual_seed(0)
spelled = encode(words)[torch.randperm(len(words))]
test, train = spelled[:2000], spelled[2000:]
print(f"слов для обучения {len(train)}, для проверки {len(test)}")
print("пример:", words[:3], "→", encode(["h_use"])[0].tolist())
# --8<-- [end:words]


# --8<-- [start:net]
class Reader(nn.Module):
    """Энкодер над буквами; two_sided=False закрывает всё, что правее."""

    def __init__(self, two_sided, width=64, n_layers=2):
        super().__init__()
        self.two_sided = two_sided
        self.letter = nn.Embedding(28, width)
        self.place = nn.Embedding(LONGEST, width)
        self.attend = nn.ModuleList()
        self.think = nn.ModuleList()
        self.norms = nn.ModuleList()
        for _ in range(n_layers):
            self.norms.append(nn.LayerNorm(width))
            self.attend.append(MultiHeadAttention(width, n_heads=4))
            mlp = nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, 2 * width),
                nn.GELU(),
                nn.Linear(2 * width, width),
            )
            self.think.append(mlp)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 28))

    def forward(self, x):  # (B, 8) → (B, 8, 28)
        mask = padding_mask(x != PAD)
        if not self.two_sided:
            mask = mask & causal_mask(x.shape[1])  # единственное отличие
        h = self.letter(x) + self.place.weight
        layers = zip(self.norms, self.attend, self.think, strict=True)
        for norm, attend, think in layers:
            h = h + attend(norm(h), mask=mask)
            h = h + think(h)
        return self.head(h)


# --8<-- [end:net]


# --8<-- [start:learn]
def hide_one(x):
    """В каждом слове закрывает одну случайную букву."""
    place = torch.rand(x.shape).masked_fill(x == PAD, -1).argmax(1)
    hidden = x.clone()
    hidden[torch.arange(len(x)), place] = MASK
    return hidden, place


def learn(net, n_steps, hide=True):
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, n_steps)
    for _ in range(n_steps):
        batch = train[torch.randint(len(train), (64,))]
        hidden, place = hide_one(batch)
        row = torch.arange(len(batch))
        logits = net(hidden if hide else batch)[row, place]  # (64, 28)
        loss = F.cross_entropy(logits, batch[row, place])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def accuracy(net, hide=True):
    torch.manual_seed(1)  # всем сетям — одни и те же закрытые буквы
    hidden, place = hide_one(test)
    row = torch.arange(len(test))
    guess = net(hidden if hide else test)[row, place].argmax(-1)
    return (guess == test[row, place]).float().mean().item()


# --8<-- [end:learn]


# --8<-- [start:cheat]
# docs: near 0.3
# docs: quote seen unseen
torch.manual_seed(0)
cheat = learn(Reader(two_sided=True), n_steps=60, hide=False)
seen, unseen = accuracy(cheat, hide=False), accuracy(cheat)
print(f"букву видно:   верно {seen:.0%}")
print(f"буква закрыта: верно {unseen:.0%}")
# --8<-- [end:cheat]


# --8<-- [start:bet]
# docs: near 0.3
# docs: quote both left ratio
torch.manual_seed(0)
two_sided = learn(Reader(two_sided=True), n_steps=500)
torch.manual_seed(0)
left_only = learn(Reader(two_sided=False), n_steps=500)
both, left = accuracy(two_sided), accuracy(left_only)
ratio = both / left
print(f"видит обе стороны:   верно {both:.1%}")
print(f"видит только слева:  верно {left:.1%}")
# --8<-- [end:bet]


# --8<-- [start:figure]
# docs: near 0.3
# docs: quote both_last left_last both_one left_one
# docs: alt Доля угаданных букв в зависимости от того, сколько букв стоит правее закрытой. На последней букве слова две линии почти сходятся; стоит справа появиться хотя бы одной букве, двусторонняя сеть поднимается намного выше той, что видит только слева.
import matplotlib.pyplot as plt

lengths = (test != PAD).sum(1)


@torch.no_grad()
def accuracy_before(net, n_right):
    """Доля верных ответов, когда правее закрытой буквы ещё n_right букв."""
    long_enough = lengths > n_right
    answer = test[long_enough]
    row = torch.arange(len(answer))
    place = lengths[long_enough] - 1 - n_right
    hidden = answer.clone()
    hidden[row, place] = MASK
    guess = net(hidden)[row, place].argmax(-1)
    return (guess == answer[row, place]).float().mean().item()


n_right = range(6)
curves = {
    "видит обе стороны": [accuracy_before(two_sided, n) for n in n_right],
    "видит только слева": [accuracy_before(left_only, n) for n in n_right],
}
both_last, both_one, *_ = curves["видит обе стороны"]
left_last, left_one, *_ = curves["видит только слева"]

plt.figure(figsize=(5, 3.2))
for name, values in curves.items():
    plt.plot(n_right, [100 * v for v in values], "o-", label=name)
plt.xlabel("сколько букв правее закрытой (0 — последняя)")
plt.ylabel("угадано, %")
plt.ylim(0, 50)
plt.legend()
plt.show()
# --8<-- [end:figure]

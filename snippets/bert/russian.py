# --8<-- [start:at_hand]
# docs: model tiny-bert-ru, модель под рукой
# docs: near 0.3
import torch
from transformers import BertForMaskedLM, BertTokenizer

from modern_nets import at_hand

name = at_hand("tiny-bert-ru")  # папка внутри пакета курса
letters = BertTokenizer.from_pretrained(name)
reader = BertForMaskedLM.from_pretrained(name)


def fill(tokenizer, model, text, n=5):
    """Самые вероятные токены на каждом месте [MASK]."""
    inputs = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        chances = model(**inputs).logits[0].softmax(-1)  # (T, V)
    masks = inputs.input_ids[0] == tokenizer.mask_token_id
    for row in chances[masks]:
        values, ids = row.topk(n)
        tokens = tokenizer.convert_ids_to_tokens(ids.tolist())
        yield dict(zip(tokens, values.tolist(), strict=True))


print(*letters.tokenize("программ[MASK]ст"))
for guess in fill(letters, reader, "программ[MASK]ст"):
    for token, chance in guess.items():
        print(f"{token:4s} {chance:.3f}")
# --8<-- [end:at_hand]


# --8<-- [start:official]
# docs: official bert-base-uncased
name = "bert-base-uncased"
words = BertTokenizer.from_pretrained(name)
base = BertForMaskedLM.from_pretrained(name)

text = "He sat down at the [MASK] and began to play."
for guess in fill(words, base, text):
    print("кандидатов:", len(guess))  # веса случайны, слова не показываем
# --8<-- [end:official]


# --8<-- [start:words]
# docs: model tiny-bert-ru, модель под рукой
# docs: near 0.5
def ask(word):
    """Слово с «_» вместо букв — и три лучшие догадки на каждое место."""
    text = word.replace("_", "[MASK]")
    for guess in fill(letters, reader, text, n=3):
        best = [f"{t.removeprefix('##')} {p:.2f}" for t, p in guess.items()]
        print(f"{word:14s}", "   ".join(best))


for word in "преподавател_", "переход_ть", "лю_овь", "мол_ко", "трамва_":
    ask(word)  # допишите своё слово
# --8<-- [end:words]


# --8<-- [start:curve]
# docs: model tiny-bert-ru и tiny-left-ru, измерено командой modern-nets evaluate
# docs: quote ru_always ru_both ru_left ru_nouns ru_last_both ru_last_left ru_most_both ru_most_left ru_ratio
# docs: expect ru_both > ru_left + 0.1 and ru_most_both > ru_most_left + 0.2
# docs: expect ru_last_both - ru_last_left < 0.1
# docs: alt Доля угаданных букв у двух сетей. Слева — против числа букв слева от закрытой: двусторонняя сеть всюду выше, на первой букве больше всего. Справа — против числа букв справа: у последней буквы линии рядом, дальше двусторонняя сеть заметно выше. Вертикальные чёрточки — доверительные интервалы.
import json

import matplotlib.pyplot as plt

report = at_hand("tiny-bert-ru") / "quality.json"
quality = json.loads(report.read_text("utf-8"))
ru_nouns = quality["nouns"]
labels = {"both": "обе стороны", "left": "левая"}
for sees, label in labels.items():
    share = quality["one_letter"][sees]
    print(f"{label:12s}{share['value']:.1%}", end=" ")
    print(f"({share['low']:.1%}–{share['high']:.1%})")
ru_both, ru_left = (quality["one_letter"][s]["value"] for s in labels)
ru_always = quality["always"]["value"]
print(f"всегда «{quality['always']['letter']}»  {ru_always:.1%}")

figure, axes = plt.subplots(1, 2, figsize=(6, 3.3), sharey=True)
for axis, side in zip(axes, ("left", "right"), strict=True):
    table = quality[f"by_letters_to_the_{side}"]
    for sees, label in labels.items():
        rows = [pair[sees] for pair in table.values()]
        values = [100 * row["value"] for row in rows]
        half = [50 * (row["high"] - row["low"]) for row in rows]
        axis.errorbar(range(12), values, half, fmt=".-", label=label)
    axis.set(ylim=(0, 100), xticks=range(0, 12, 2))
axes[0].set(xlabel="букв слева от закрытой", ylabel="угадано, %")
axes[1].set(xlabel="букв справа от закрытой")
axes[1].legend()
plt.show()
edge = quality["by_letters_to_the_right"]
ru_last_both, ru_last_left = (edge["0"][s]["value"] for s in labels)
ru_most_both, ru_most_left = (edge["1"][s]["value"] for s in labels)
ru_ratio = ru_both / ru_left
# --8<-- [end:curve]


# --8<-- [start:independent]
# docs: model tiny-bert-ru, модель под рукой
# docs: near 0.5
ask("к_р_ва")


def best(text):
    """Лучшая буква на каждом месте [MASK]."""
    guesses = fill(letters, reader, text, n=1)
    return [
        token.removeprefix("##") for guess in guesses for token in guess
    ]


left, right = best("к[MASK]р[MASK]ва")
print(f"обе порознь:    к{left}р{right}ва")
print(f"сначала левую:  к{left}р{best(f'к{left}р[MASK]ва')[0]}ва")
print(f"сначала правую: к{best(f'к[MASK]р{right}ва')[0]}р{right}ва")
# --8<-- [end:independent]


# --8<-- [start:failures]
# docs: model tiny-bert-ru, модель под рукой
# docs: near 0.5
ask("шмурд_к")  # в словаре его нет
print(*letters.tokenize("ко[MASK]ка🐈"), *letters.tokenize("cat"))

from modern_nets.ask import guess_letters

for word in "c_t", "ко_ка🐈", "кошка", "":
    try:
        guess_letters(word)
    except ValueError as error:
        print(error)
# --8<-- [end:failures]

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
# docs: quote ru_both ru_left ru_nouns ru_last_both ru_last_left ru_most_both ru_most_left
# docs: alt Доля угаданных букв у двух сетей. Слева — против числа букв слева от закрытой: двусторонняя сеть всюду выше, на первой букве больше всего. Справа — против числа букв справа: у последней буквы линии рядом, дальше двусторонняя сеть заметно выше. Вертикальные чёрточки — доверительные интервалы.
import json

import matplotlib.pyplot as plt

quality = json.loads(
    (at_hand("tiny-bert-ru") / "quality.json").read_text("utf-8")
)
ru_nouns = quality["nouns"]
ru_both = quality["one_letter"]["both"]["value"]
ru_left = quality["one_letter"]["left"]["value"]
print(f"закрыта случайная буква, отложенных слов {ru_nouns}")
print(f"видны обе стороны:  {ru_both:.1%}")
print(f"видна только левая: {ru_left:.1%}")

figure, axes = plt.subplots(1, 2, figsize=(6, 3.3), sharey=True)
for axis, side in zip(axes, ("left", "right"), strict=True):
    table = quality[f"by_letters_to_the_{side}"]
    for sees, label in ("both", "обе стороны"), ("left", "только левая"):
        rows = [pair[sees] for pair in table.values()]
        values = [100 * row["value"] for row in rows]
        below = [100 * (row["value"] - row["low"]) for row in rows]
        above = [100 * (row["high"] - row["value"]) for row in rows]
        x = range(len(rows))
        axis.errorbar(x, values, [below, above], fmt=".-", label=label)
    axis.set(ylim=(0, 100), xticks=range(0, 12, 2))
axes[0].set_xlabel("букв слева от закрытой")
axes[1].set_xlabel("букв справа от закрытой")
axes[0].set_ylabel("угадано, %")
axes[1].legend()
plt.show()
by_right = quality["by_letters_to_the_right"]
ru_last_both, ru_last_left = (
    by_right["0"][s]["value"] for s in ("both", "left")
)
ru_most_both, ru_most_left = (
    by_right["1"][s]["value"] for s in ("both", "left")
)
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

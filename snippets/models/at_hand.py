# --8<-- [start:list]
from modern_nets import at_hand
from modern_nets.embedded import names, trained

for name in names():
    folder = at_hand(name)  # заодно сверяет контрольные суммы
    weights = (folder / "model.safetensors").stat().st_size
    print(f"{name:17s} {weights / 1e6:5.1f} МБ")
# --8<-- [end:list]


# --8<-- [start:ask]
# docs: near 0.5
from modern_nets.ask import guess_letters, invent_names

for guess in guess_letters("программ_ст"):
    for letter, chance in guess.letters[:3]:
        print(f"{letter} {chance:.2f}")
# --8<-- [end:ask]


# --8<-- [start:quality]
# docs: quote one_shot one_shot_scratch fifty fifty_scratch
# docs: quote vit_shot vit_shot_scratch
import json

from modern_nets.training.card import quality_rows

for name in trained():  # у MiniLM карточка своя
    text = (at_hand(name) / "quality.json").read_text("utf-8")
    print(name)
    rows = quality_rows(name, json.loads(text))
    for what, value in rows[:5]:  # все — в карточке модели
        print(f"  {what}\n      {value}")


def five(name, shots):
    """Перенос на новые цифры: точность дообученной сети и новой."""
    text = (at_hand(name) / "quality.json").read_text("utf-8")
    row = json.loads(text)["transfer"][shots]
    return row["pretrained"]["value"], row["scratch"]["value"]


one_shot, one_shot_scratch = five("tiny-resnet-five", "1")
fifty, fifty_scratch = five("tiny-resnet-five", "50")
vit_shot, vit_shot_scratch = five("tiny-vit-five", "1")
# --8<-- [end:quality]


# --8<-- [start:refusals]
from modern_nets.ask import continue_code, recognize_digit

questions = [
    (guess_letters, "ко_ка🐈"),
    (guess_letters, "а" * 10_000 + "_"),
    (invent_names, "отчество"),
    (continue_code, "x = 1\n" * 2_000),
    (recognize_digit, "нет.png"),
    (at_hand, "tiny-bert"),
]
for function, value in questions:
    try:
        function(value)
    except (ValueError, OSError) as error:
        print(f"{function.__name__}: {error}\n")
# --8<-- [end:refusals]

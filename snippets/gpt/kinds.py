# --8<-- [start:kinds]
# docs: model tiny-gpt-ru, модель под рукой
# docs: sampled
from modern_nets.ask import invent_names

for kind in "фамилия", "имя", "место":
    print(f"{kind}:", *invent_names(kind, "Бе", n=6))
# --8<-- [end:kinds]
# --8<-- [start:kinds_quality]
# docs: model tiny-gpt-ru, измерено командой modern-nets evaluate
# docs: quote ru_bits ru_grams ru_copied ru_guessed ru_gain
# docs: expect ru_bits < ru_grams
import json

from modern_nets import at_hand

quality = json.loads(
    (at_hand("tiny-gpt-ru") / "quality.json").read_text("utf-8")
)
surnames_only = quality["by_kind"]["фамилия"]
ru_bits = surnames_only["bits_per_letter"]["value"]
ru_grams = surnames_only["five_gram_bits_per_letter"]["value"]
ru_copied = quality["invented"]["фамилия"]["copied"]["value"]
ru_guessed = quality["invented"]["фамилия"]["guessed"]["value"]
ru_gain = quality["saved_bits_per_letter"]["value"]
print(f"бит на букву фамилии: {ru_bits:.2f}, у 5-грамм {ru_grams:.2f}")
print(f"списано {ru_copied:.1%}, угадано отложенных {ru_guessed:.1%}")
# --8<-- [end:kinds_quality]

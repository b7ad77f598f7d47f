# --8<-- [start:kinds]
# docs: model tiny-gpt-ru, модель под рукой
# docs: sampled
import torch
from transformers import GPT2LMHeadModel, GPT2Tokenizer

from modern_nets import at_hand

name = at_hand("tiny-gpt-ru")
kinds_tokenizer = GPT2Tokenizer.from_pretrained(name)
inventor = GPT2LMHeadModel.from_pretrained(name)

torch.manual_seed(0)
for kind in "фамилия:", "имя:", "место:":
    inputs = kinds_tokenizer([kind + "Бе"] * 6, return_tensors="pt")
    ids = inventor.generate(
        **inputs,
        do_sample=True,
        top_k=0,
        max_new_tokens=20,
        pad_token_id=kinds_tokenizer.eos_token_id,
    )
    names = kinds_tokenizer.batch_decode(ids, skip_special_tokens=True)
    print(kind, ", ".join(name.removeprefix(kind) for name in names))
# --8<-- [end:kinds]


# --8<-- [start:kinds_temperature]
# docs: model tiny-gpt-ru, модель под рукой
# docs: sampled
from modern_nets.ask import invent_names

settings = {
    "τ = 0,5": {"temperature": 0.5},
    "τ = 1": {"temperature": 1.0},
    "τ = 2": {"temperature": 2.0},
    "τ = 2, top-p 0,8": {"temperature": 2.0, "top_p": 0.8},
}
for title, options in settings.items():
    print(
        f"{title:17s}",
        *invent_names("место", "Нов", n=4, seed=1, **options),
    )
# --8<-- [end:kinds_temperature]


# --8<-- [start:kinds_quality]
# docs: model tiny-gpt-ru, измерено командой modern-nets evaluate
# docs: quote ru_bits ru_grams ru_copied ru_guessed
import json

quality = json.loads(
    (at_hand("tiny-gpt-ru") / "quality.json").read_text("utf-8")
)
ru_bits = quality["bits_per_letter"]["value"]
ru_grams = quality["five_gram_bits_per_letter"]["value"]
print(f"бит на букву: модель {ru_bits:.2f}, 5-граммы {ru_grams:.2f}")
print("из тысячи придуманных      списано  угадано настоящих")
for kind, row in quality["invented"].items():
    copied, guessed = row["copied"]["value"], row["guessed"]["value"]
    print(f"{kind:24s} {copied:10.1%} {guessed:12.1%}")
ru_copied = quality["invented"]["фамилия"]["copied"]["value"]
ru_guessed = quality["invented"]["фамилия"]["guessed"]["value"]
# --8<-- [end:kinds_quality]

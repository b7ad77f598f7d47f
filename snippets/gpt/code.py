# --8<-- [start:at_hand]
# docs: model tiny-gpt-py, модель под рукой
# docs: near 0.3
import torch
from transformers import GPT2LMHeadModel, GPT2Tokenizer

from modern_nets import at_hand

name = at_hand("tiny-gpt-py")  # папка внутри пакета курса
tokenizer = GPT2Tokenizer.from_pretrained(name)
coder = GPT2LMHeadModel.from_pretrained(name)


def next_tokens(tokenizer, model, text, n=5):
    """Самые вероятные продолжения: токен и его вероятность."""
    inputs = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits  # (1, T, V)
    chances, ids = logits[0, -1].softmax(-1).topk(n)
    tokens = [tokenizer.decode([i]) for i in ids.tolist()]
    return dict(zip(tokens, chances.tolist(), strict=True))


print(tokenizer.tokenize("def __init__(self, name):"))
start = "class Stack:\n    def"
for token, chance in next_tokens(tokenizer, coder, start).items():
    print(f"{chance:.3f} {token!r}")
# --8<-- [end:at_hand]


# --8<-- [start:official]
# docs: official gpt2
name = "gpt2"
gpt2_tokenizer = GPT2Tokenizer.from_pretrained(name)
gpt2 = GPT2LMHeadModel.from_pretrained(name)

tokens = next_tokens(gpt2_tokenizer, gpt2, "Alan Turing was born in")
print("кандидатов:", len(tokens))  # веса случайны, слова не показываем
# --8<-- [end:official]


# --8<-- [start:steps]
# docs: model tiny-gpt-py, модель под рукой
# docs: near 0.5
text = "for i in range("
for _ in range(8):
    tokens = next_tokens(tokenizer, coder, text, n=3)
    print("   ".join(f"{token!r} {p:.2f}" for token, p in tokens.items()))
    text += next(iter(tokens))  # дописываем самый вероятный
print(text)
# --8<-- [end:steps]


# --8<-- [start:temperatures]
# docs: model tiny-gpt-py, модель под рукой
# docs: sampled
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2

ours = GPT2.from_pretrained(at_hand("tiny-gpt-py"))
start = tokenizer("def read_lines(path):", return_tensors="pt")


def continue_code(n=32, **options):
    generator = torch.Generator().manual_seed(1)
    options["generator"] = generator
    ids = generate(ours, start.input_ids, n, stop_tokens=[0], **options)
    return tokenizer.decode(ids[0], skip_special_tokens=True).rstrip()


settings = {
    "жадно": {},
    "τ = 0,7": {"temperature": 0.7},
    "τ = 1,5": {"temperature": 1.5},
    "τ = 1,5, top-p 0,8": {"temperature": 1.5, "top_p": 0.8},
}
for title, options in settings.items():
    print(f"# {title}\n{continue_code(**options)}\n")
# --8<-- [end:temperatures]


# --8<-- [start:quality]
# docs: model tiny-gpt-py, измерено командой modern-nets evaluate
# docs: quote py_bits py_xz py_xz_primed py_grams py_parsed py_copied py_human n_functions
import json

quality = json.loads(
    (at_hand("tiny-gpt-py") / "quality.json").read_text("utf-8")
)
py_bits = quality["bits_per_byte"]["value"]
py_xz = quality["xz_bits_per_byte"]
py_xz_primed = quality["xz_after_training_text"]
py_grams = quality["five_gram_bits_per_byte"]["value"]
py_parsed, n_functions = quality["parsed"]["value"], quality["parsed"]["n"]
py_copied = quality["copied_50_characters"]["value"]
py_human = quality["copied_50_characters_of_real_code"]["value"]
print("бит на байт отложенных модулей")
print(f"  5-граммы над байтами           {py_grams:.2f}")
print(f"  xz -9e                         {py_xz:.2f}")
print(f"  xz -9e, прочитав обучающие     {py_xz_primed:.2f}")
print(f"  tiny-gpt-py                    {py_bits:.2f}")
print(f"функций без ошибок синтаксиса: {py_parsed:.0%} из {n_functions}")
print(f"кусков по 50 знаков из обучающих: {py_copied:.1%}")
print(f"  у людей в отложенных модулях:   {py_human:.1%}")
# --8<-- [end:quality]


# --8<-- [start:failures]
# docs: model tiny-gpt-py, модель под рукой
# docs: sampled
from modern_nets.ask import continue_code as ask_code

print(ask_code("def is_prime(n):", 60), "\n")
print(ask_code("# столица Франции —", 12), "\n")
try:
    ask_code("x = 1\n" * 2000)
except ValueError as error:
    print(error)
# --8<-- [end:failures]


# --8<-- [start:space]
# docs: model tiny-gpt-py, модель под рукой
# docs: near 0.5
for text in "if x is", "if x is ":
    tokens = next_tokens(tokenizer, coder, text, n=3)
    shown = (f"{token!r} {p:.2f}" for token, p in tokens.items())
    print(f"{text!r:11}", *shown, sep="   ")
# --8<-- [end:space]

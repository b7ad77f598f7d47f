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


# --8<-- [start:parse]
# docs: model tiny-gpt-py, модель под рукой
# docs: sampled
# docs: quote parsed_greedy parsed_cool parsed_hot
# docs: expect parsed_cool > parsed_hot
import enum
import inspect
import logging
import random
import re
import traceback

from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2
from modern_nets.training.code import is_python, whole_function
from modern_nets.training.measures import share

modules = enum, logging, traceback  # этих модулей модель не читала
sources = "".join(inspect.getsource(module) for module in modules)
headers = re.findall(r"^def \w+\([^()\n]*\):$", sources, re.MULTILINE)
headers = random.Random(0).sample(headers, 40)
tokenizer.padding_side, tokenizer.pad_token = "left", tokenizer.eos_token
starts = [tokenizer.eos_token + header for header in headers]
batch = tokenizer(starts, padding=True, return_tensors="pt")
ours = GPT2.from_pretrained(at_hand("tiny-gpt-py"))

parsed = []
for title, options in {
    "жадно": {},
    "τ = 0,7, top-p 0,95": {"temperature": 0.7, "top_p": 0.95},
    "τ = 1,5": {"temperature": 1.5},
}.items():
    options |= {"max_new_tokens": 100, "stop_tokens": [0]}
    options["generator"] = torch.Generator().manual_seed(0)
    ids = generate(ours, **batch, **options)
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    codes = map(whole_function, texts, headers)  # без того, что ниже
    row = share(sum(map(is_python, codes)), 40)  # is_python: ast.parse
    parsed.append(row["value"])
    span = f"({abs(row['low']):.0%}–{row['high']:.0%})"
    print(f"{title:19} без ошибок {row['value']:4.0%} {span}")
parsed_greedy, parsed_cool, parsed_hot = parsed
# --8<-- [end:parse]


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
from modern_nets.ask import continue_code


def head(code, n_lines=5):
    lines = code.split("\n") + [""] * n_lines
    print(*(f"│ {line[:76]}" for line in lines[:n_lines]), sep="\n")


head(continue_code("def read_lines(path):", temperature=0.7, top_p=0.95))
head(continue_code("def is_prime(n):", 60), 3)
head(continue_code("# столица Франции —", 12), 3)
# --8<-- [end:failures]


# --8<-- [start:space]
# docs: model tiny-gpt-py, модель под рукой
# docs: near 0.5
for text in "if x is", "if x is ":
    tokens = next_tokens(tokenizer, coder, text, n=3)
    shown = (f"{token!r} {p:.2f}" for token, p in tokens.items())
    print(f"{text!r:11}", *shown, sep="   ")
# --8<-- [end:space]

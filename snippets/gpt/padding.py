# --8<-- [start:right]
# docs: model tiny-gpt-ru, модель под рукой
# docs: near 0.3
import torch
from transformers import GPT2LMHeadModel, GPT2Tokenizer

from modern_nets import at_hand

name = at_hand("tiny-gpt-ru")
inventor = GPT2LMHeadModel.from_pretrained(name)
names_tokenizer = GPT2Tokenizer.from_pretrained(name)
names_tokenizer.pad_token = names_tokenizer.eos_token


def best(logits):
    chances, ids = logits.softmax(dim=-1).topk(3)
    letters = map(names_tokenizer.decode, ids[:, None].tolist())
    return {x: round(p, 2) for x, p in zip(letters, chances.tolist())}


@torch.no_grad()
def logits_of(prompts, side="right", places=False):
    names_tokenizer.padding_side = side
    batch = names_tokenizer(prompts, padding=True, return_tensors="pt")
    if places:  # место — номер среди настоящих токенов
        numbers = batch.attention_mask.cumsum(dim=1) - 1
        batch["position_ids"] = numbers.clamp(min=0)
    return inventor(**batch).logits  # (B, T, V)


pair = ["фамилия:Ши", "фамилия:Черниченк"]
right, short = logits_of(pair), logits_of(pair[:1])
n = short.shape[1]  # токенов в короткой строке
print("одна:", best(short[0, -1]))
print("справа, [:, -1]:", best(right[0, -1]))
print("справа, своё место:", best(right[0, n - 1]))
# --8<-- [end:right]
# --8<-- [start:left]
# docs: near 0.3
# docs: quote shifted_gap mended_gap
# docs: expect shifted_gap > 0.1 and mended_gap < 1e-3
left = logits_of(pair, side="left")
mended = logits_of(pair, side="left", places=True)
print("слева, только маска:", best(left[0, -1]))
print("слева, маска и места:", best(mended[0, -1]))
alone = short[0, -1].softmax(dim=-1)
shifted_gap = (left[0, -1].softmax(dim=-1) - alone).abs().max().item()
mended_gap = (mended[0, -1].softmax(dim=-1) - alone).abs().max().item()
# --8<-- [end:left]
# --8<-- [start:batch]
# docs: model tiny-gpt-ru, модель под рукой
# docs: near 0.9
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2

ours = GPT2.from_pretrained(name)


def greedy_texts(prompts):
    batch = names_tokenizer(prompts, padding=True, return_tensors="pt")
    rows = generate(ours, **batch, max_new_tokens=12, stop_tokens=[0])
    return names_tokenizer.batch_decode(rows, skip_special_tokens=True)


together = greedy_texts(pair)
alone = [greedy_texts([prompt])[0] for prompt in pair]
print(together, "— поодиночке то же:", together == alone)
# --8<-- [end:batch]
# --8<-- [start:overflow]
try:
    generate(ours, torch.ones(1, 10, dtype=torch.long), 30)
except ValueError as error:
    print(error)
# --8<-- [end:overflow]

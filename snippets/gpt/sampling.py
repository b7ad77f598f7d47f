# --8<-- [start:hand]
import math

logits = [2.0, 1.0, 0.0]
for tau in (0.5, 1.0, 2.0):
    exponents = [math.exp(z / tau) for z in logits]
    print(f"τ = {tau}:", *(f"{e / sum(exponents):.3f}" for e in exponents))
# --8<-- [end:hand]
# --8<-- [start:filters]
import torch


def next_probabilities(logits, tau=1.0, top_k=None, top_p=None):
    """Логиты (…, V) → вероятности следующего токена после всех отсечений."""
    logits = logits / tau
    if top_k is not None:
        weakest = logits.topk(top_k).values[..., -1:]
        logits = logits.masked_fill(logits < weakest, -math.inf)
    p = logits.softmax(dim=-1)
    if top_p is not None:
        ordered, order = p.sort(descending=True)
        collected = ordered.cumsum(dim=-1) - ordered  # набрано до токена
        ordered = ordered.masked_fill(collected >= top_p, 0.0)
        p = torch.zeros_like(p).scatter(-1, order, ordered)
    return p / p.sum(dim=-1, keepdim=True)


three = torch.tensor([2.0, 1.0, 0.0])
for options in {"tau": 0.5}, {"top_k": 2}, {"top_p": 0.9}, {"top_p": 0.6}:
    p = next_probabilities(three, **options)
    print(options, *(f"{x:.3f}" for x in p.tolist()))
# --8<-- [end:filters]

# --8<-- [start:temperature]
import torch

logits = torch.tensor([2.0, 1.0, 0.0])  # оценки трёх токенов-кандидатов
for temperature in (0.5, 1.0, 2.0):
    p = torch.softmax(logits / temperature, dim=-1)
    print(f"τ = {temperature}:", *(f"{value:.3f}" for value in p))

p = torch.softmax(logits, dim=-1)
nucleus = p.cumsum(dim=-1) - p < 0.9  # берём, пока набралось меньше 0,9
kept = p * nucleus / (p * nucleus).sum()
print("top-p 0.9:", *(f"{value:.3f}" for value in kept))
# --8<-- [end:temperature]


# --8<-- [start:padding]
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
config = GPT2Config(
    vocab_size=50,
    n_positions=32,
    n_embd=32,
    n_layer=2,
    n_head=2,
    bos_token_id=0,
    eos_token_id=0,
    initializer_range=0.2,
)
toy = GPT2LMHeadModel(config).eval()
prompts = [[7, 8], [11, 12, 13, 14, 15]]


def greedy(ids, mask):
    out = toy.generate(
        torch.tensor(ids),
        attention_mask=torch.tensor(mask),
        max_new_tokens=6,
        do_sample=False,
        pad_token_id=0,
    )
    return out[:, -6:].tolist()


alone = [greedy([ids], [[1] * len(ids)])[0] for ids in prompts]
gap, ones = [0, 0, 0], [1, 1]
right = greedy([prompts[0] + gap, prompts[1]], [ones + gap, [1] * 5])
left = greedy([gap + prompts[0], prompts[1]], [gap + ones, [1] * 5])
print("заполнители справа, как поодиночке:", right == alone)
print("заполнители слева,  как поодиночке:", left == alone)
# --8<-- [end:padding]

# --8<-- [start:loss]
import math

import torch
import torch.nn.functional as F
from modern_nets.bert import BertConfig, BertForMaskedLM

logits = torch.tensor([2.0, 1.0, 0.0])  # рояль, руль, стол
answer = torch.tensor(0)
print("вероятности:", [f"{p:.3f}" for p in logits.softmax(-1)])
print(f"потеря −ln p(рояль) = {F.cross_entropy(logits, answer):.3f}")
print(f"если шансы равны: ln 30 522 = {math.log(30_522):.2f}")

# docs: quote fresh_loss
# docs: near 0.02
torch.manual_seed(0)
tiny = BertConfig(d_model=128, n_layers=2, n_heads=2, d_mlp=512)
fresh = BertForMaskedLM(tiny)
ids = torch.randint(1000, 30_000, (4, 32))
fresh_loss = fresh(ids, labels=ids).loss.item()
print(f"потеря свежей BERT до первого шага: {fresh_loss:.2f}")
# --8<-- [end:loss]

# --8<-- [start:choose]
MASK = 103  # номер [MASK] в словаре
IGNORE = -100  # метка, на которую потеря не смотрит


def mask_tokens(input_ids, vocab_size=30_522):
    n_chosen = round(0.15 * len(input_ids))
    n_random = n_kept = round(0.10 * n_chosen)
    order = torch.randperm(len(input_ids))
    chosen = order[:n_chosen]  # места, о которых спросят
    to_random, to_mask = chosen[:n_random], chosen[n_random + n_kept :]

    labels = torch.full_like(input_ids, IGNORE)
    labels[chosen] = input_ids[chosen]  # на остальных местах вопроса нет
    masked = input_ids.clone()
    masked[to_mask] = MASK
    masked[to_random] = torch.randint(1000, vocab_size, (n_random,))
    return masked, labels


torch.manual_seed(0)
input_ids = torch.arange(2000, 2512)  # 512 разных токенов
masked, labels = mask_tokens(input_ids)

chosen = labels != IGNORE
hidden, same = masked == MASK, masked == input_ids
print("выбрано:              ", chosen.sum().item())
print("заменено на [MASK]:   ", hidden.sum().item())
print("заменено случайным:   ", (chosen & ~hidden & ~same).sum().item())
print("оставлено как есть:   ", (chosen & same).sum().item())
# --8<-- [end:choose]

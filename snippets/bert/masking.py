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
# docs: near 0.02
# docs: quote n_chosen mean_hidden mean_random mean_kept
# docs: expect n_chosen == 77 and 61 < mean_hidden and mean_hidden < 62.2
# docs: expect 7.3 < mean_random and mean_random < 8.1
CLS, SEP, MASK = 101, 102, 103  # номера в словаре bert-base-uncased
IGNORE = -100  # метка, на которую потеря не смотрит


def mask_tokens(input_ids, vocab_size=30_522):
    n_chosen = round(0.15 * len(input_ids))
    ordinary = (input_ids != CLS) & (input_ids != SEP)
    places = ordinary.nonzero().squeeze(1)  # служебные не прячут
    chosen = places[torch.randperm(len(places))[:n_chosen]]

    labels = torch.full_like(input_ids, IGNORE)
    labels[chosen] = input_ids[chosen]  # на остальных местах вопроса нет
    masked, lot = input_ids.clone(), torch.rand(n_chosen)
    masked[chosen[lot < 0.8]] = MASK
    swap = chosen[lot >= 0.9]  # а при 0,8…0,9 токен остаётся
    masked[swap] = torch.randint(vocab_size, swap.shape)
    return masked, labels


torch.manual_seed(0)
text = torch.arange(2000, 2512)  # 512 разных токенов
text[0], text[255], text[511] = CLS, SEP, SEP
counts = []
for _ in range(1000):  # тысяча жребиев
    masked, labels = mask_tokens(text)
    asked, hidden = labels != IGNORE, masked == MASK
    kept = asked & (masked == text)
    swapped = asked & ~hidden & ~kept
    counts.append([x.sum().item() for x in (asked, hidden, swapped, kept)])

rows = list(zip(*counts, strict=True))
names = "выбрано", "[MASK]", "подменён", "оставлен"
means = [sum(row) / 1000 for row in rows]
for name, mean, row in zip(names, means, rows, strict=True):
    print(f"{name:9s}в среднем {mean:4.1f}, от {min(row)} до {max(row)}")
n_chosen, mean_hidden, mean_random, mean_kept = means
# --8<-- [end:choose]

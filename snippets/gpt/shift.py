# --8<-- [start:shift]
# docs: near 0.02
# docs: quote entropy one_shift no_shift two_shifts
# docs: expect entropy - 0.05 < one_shift < entropy + 0.05
# docs: expect no_shift > 1.2 * entropy and two_shifts > 1.1 * entropy
import math

import torch
import torch.nn.functional as F

# Четыре токена по кругу. Следующий: тот же, +1, +2, +3.
jumps = torch.tensor([1 / 8, 1 / 2, 1 / 4, 1 / 8])
entropy = -(jumps * jumps.log2()).sum().item()  # меньше не бывает
torch.manual_seed(0)
ids = torch.multinomial(jumps, 64 * 100, replacement=True)
ids = ids.view(64, 100).cumsum(dim=1) % 4  # (B, T)
table = torch.stack([jumps.roll(i) for i in range(4)])  # верные ответы


def bits(logits, targets):
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    return loss.item() / math.log(2)


logits = table.log()[ids]  # (B, T, V)
one_shift = bits(logits[:, :-1], ids[:, 1:])
no_shift = bits(logits, ids)
two_shifts = bits(logits[:, :-2], ids[:, 2:])
print(f"на бумаге {entropy:.2f}, сдвиг на один {one_shift:.2f}")
print(f"без сдвига {no_shift:.2f}, сдвиг дважды {two_shifts:.2f}")
# --8<-- [end:shift]
# --8<-- [start:copy]
# docs: near 0.9
# docs: quote copy_bits
# docs: expect copy_bits < 0.5 * entropy
from torch import nn

pupil = nn.Sequential(nn.Embedding(4, 16), nn.Linear(16, 4))
optimizer = torch.optim.Adam(pupil.parameters(), lr=0.05)
for _ in range(50):  # сдвиг забыт: ответ — сам вход
    logits = pupil(ids)
    loss = F.cross_entropy(logits.flatten(0, 1), ids.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
copy_bits = bits(pupil(ids), ids)
print(f"обучение без сдвига: {copy_bits:.3f} бита")
# --8<-- [end:copy]
# --8<-- [start:labels]
from transformers import GPT2Config, GPT2LMHeadModel

sizes = {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 4}
config = GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
small = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    logits = small(ids).logits
    right = small(ids, labels=ids).loss / math.log(2)
    wrong = small(ids[:, :-1], labels=ids[:, 1:]).loss / math.log(2)
once = bits(logits[:, :-1], ids[:, 1:])
twice = bits(logits[:, :-2], ids[:, 2:])
print("labels=ids — один сдвиг:", abs(right.item() - once) < 1e-4)
print("сдвинули сами — два:", abs(wrong.item() - twice) < 1e-4)
# --8<-- [end:labels]

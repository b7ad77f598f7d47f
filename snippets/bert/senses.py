# --8<-- [start:bank]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.05
# docs: quote same_sense other_sense input_gap
# docs: expect same_sense > other_sense + 0.05
# docs: expect input_gap < 0.03
import torch
import torch.nn.functional as F
from transformers import BertModel, BertTokenizer

from modern_nets import at_hand

minilm = at_hand("minilm")
tokenizer = BertTokenizer.from_pretrained(minilm)
model = BertModel.from_pretrained(minilm)

sentences = [
    "We sat on the bank of the river.",  # берег
    "The boat drifted to the muddy bank.",
    "Fishermen stood along the bank.",
    "She opened an account at the bank.",  # банк
    "The bank raised its interest rates.",
    "He took a loan from the bank.",
]
batch = tokenizer(sentences, padding=True, return_tensors="pt")
with torch.no_grad():
    outputs = model(**batch, output_hidden_states=True)
bank_id = tokenizer.convert_tokens_to_ids("bank")
is_bank = batch.input_ids == bank_id  # по одному bank в строке

sense = torch.tensor([0, 0, 0, 1, 1, 1])
same = (sense[:, None] == sense) & ~torch.eye(6, dtype=torch.bool)
other = sense[:, None] != sense
gaps = []
for n_layer in 0, 2, 4, 6:
    bank = outputs.hidden_states[n_layer][is_bank]  # (6, 384)
    bank = F.normalize(bank, dim=-1)
    similarity = bank @ bank.T
    same_sense = similarity[same].mean().item()
    other_sense = similarity[other].mean().item()
    gaps.append(same_sense - other_sense)
    print(f"слой {n_layer}: тот же смысл {same_sense:.2f},", end=" ")
    print(f"другой {other_sense:.2f}")
input_gap = gaps[0]
# --8<-- [end:bank]


# --8<-- [start:bank_map]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: alt Матрица косинусной близости шести векторов слова bank на выходе последнего слоя. Два тёмных квадрата на диагонали: три вектора «берега» близки между собой, три вектора «банка» — между собой; клетки между смыслами светлее.
import matplotlib.pyplot as plt

labels = ["берег 1", "берег 2", "берег 3", "банк 1", "банк 2", "банк 3"]
plt.figure(figsize=(5, 4.2))
plt.imshow(similarity, cmap="Blues", vmin=0.6, vmax=1)
for i in range(6):
    for j in range(6):
        value = similarity[i, j].item()
        color = "#ffffff" if value > 0.82 else "#111111"
        label = f"{value:.2f}".replace(".", ",")
        plt.text(j, i, label, ha="center", va="center", color=color)
plt.xticks(range(6), labels, rotation=45, ha="right")
plt.yticks(range(6), labels)
plt.tight_layout()
plt.show()
# --8<-- [end:bank_map]

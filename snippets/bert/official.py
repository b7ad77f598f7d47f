# --8<-- [start:transformers]
# docs: official bert-base-uncased
import torch
from transformers import BertModel, BertTokenizer

model = BertModel.from_pretrained("bert-base-uncased")
tokenizer = BertTokenizer.from_pretrained("bert-base-uncased")
inputs = tokenizer("Hello world!", return_tensors="pt")
with torch.no_grad():
    outputs = model(**inputs)
print(outputs.last_hidden_state.shape)
# --8<-- [end:transformers]


# --8<-- [start:package]
# docs: official bert-base-uncased
from modern_nets.bert import Bert

ours = Bert.from_pretrained("bert-base-uncased")
with torch.no_grad():
    hidden = ours(**inputs).last_hidden_state
gap = (hidden - outputs.last_hidden_state).abs().max().item()
print(hidden.shape)
n_params = sum(p.numel() for p in ours.parameters())
print(f"параметров: {n_params:,}".replace(",", " "))
print("числа те же, что у transformers:", gap < 1e-4)
# --8<-- [end:package]

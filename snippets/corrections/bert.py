# --8<-- [start:tokens]
# docs: model MiniLM (all-MiniLM-L6-v2): тот же словарь, что у bert-base-uncased
from transformers import AutoModel, AutoTokenizer

from modern_nets import at_hand

folder = at_hand("minilm")
tokenizer = AutoTokenizer.from_pretrained(folder)
print("строк в словаре:", tokenizer.vocab_size)
for text in ("Hello world!", "unbelievably", "нейронный"):
    print(text, "→", *tokenizer.tokenize(text))
# --8<-- [end:tokens]


# --8<-- [start:grad]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
import torch

model = AutoModel.from_pretrained(folder)
inputs = tokenizer("Hello world!", return_tensors="pt")
hidden = model(**inputs).last_hidden_state
print("как в модуле: граф производных хранится —", hidden.requires_grad)
with torch.inference_mode():
    hidden = model(**inputs).last_hidden_state
print("inference_mode: граф производных хранится —", hidden.requires_grad)
# --8<-- [end:grad]

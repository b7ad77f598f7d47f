# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
import torch
from transformers import BertModel, BertTokenizer

from modern_nets import at_hand

name = at_hand("minilm")  # папка с настоящими весами
model = BertModel.from_pretrained(name)
tokenizer = BertTokenizer.from_pretrained(name)
inputs = tokenizer("Hello world!", return_tensors="pt")
with torch.no_grad():
    outputs = model(**inputs)
print(outputs.last_hidden_state.shape)

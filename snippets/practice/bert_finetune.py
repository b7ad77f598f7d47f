# docs: official bert-base-uncased
import torch
from transformers import BertForSequenceClassification, BertTokenizer

tokenizer = BertTokenizer.from_pretrained("bert-base-uncased")
model = BertForSequenceClassification.from_pretrained(
    "bert-base-uncased", num_labels=2
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)

texts, labels = (
    ["worth every penny", "i want a refund"],
    torch.tensor([1, 0]),
)
inputs = tokenizer(
    texts, padding=True, truncation=True, return_tensors="pt"
)
model.train()
outputs = model(**inputs, labels=labels)  # функция потерь считается внутри
outputs.loss.backward()
optimizer.step()
print("логиты:", tuple(outputs.logits.shape))

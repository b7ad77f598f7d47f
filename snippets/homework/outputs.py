import torch
from transformers import BertConfig, BertForMaskedLM, BertModel
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model

with torch.device("meta"):
    models = [
        BertModel(BertConfig()),
        GPT2Model(GPT2Config()),
        BertForMaskedLM(BertConfig()),
        GPT2LMHeadModel(GPT2Config()),
    ]

ids = torch.zeros(
    1, 7, dtype=torch.long, device="meta"
)  # одно предложение, 7 токенов
for model in models:
    outputs = model.eval()(ids)
    name = (
        "last_hidden_state" if "last_hidden_state" in outputs else "logits"
    )
    print(
        f"{type(model).__name__:<16} {name:<18} {tuple(outputs[name].shape)}"
    )

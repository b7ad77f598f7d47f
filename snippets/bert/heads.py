# --8<-- [start:sizes]
# docs: quote head_share
import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

with torch.device("meta"):
    nets = {
        "тональность": BertForSequenceClassification(BertConfig()),
        "NER": BertForTokenClassification(BertConfig(num_labels=9)),
        "ответ в тексте": BertForQuestionAnswering(BertConfig()),
    }


def count(module):
    return sum(p.numel() for p in module.parameters())


for name, net in nets.items():
    head = net.qa_outputs if hasattr(net, "qa_outputs") else net.classifier
    shape = f"{head.in_features} → {head.out_features}"
    print(f"{name:15s}{shape}, параметров {count(head)}")
    head_share = count(head) / count(net)
print(f"доля головы в последней модели: {head_share:.4%}")
# --8<-- [end:sizes]

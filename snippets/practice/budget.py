import torch
from modern_nets.bert import BertConfig, BertForSequenceClassification
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.resnet import resnet18
from modern_nets.vit import ViT, ViTConfig
from torch.utils.flop_counter import FlopCounterMode


def training_operations(model, inputs):
    """Операций на прямой и обратный проход одного примера."""
    with FlopCounterMode(display=False) as counter:
        model(inputs).logits.sum().backward()
    return counter.get_total_flops()


# «meta» — тензоры без чисел: формы есть, считать нечего.
with torch.device("meta"):
    picture = torch.empty(1, 3, 224, 224)
    tasks = {
        "ResNet-18, эпоха CIFAR-10": (resnet18(), picture, 50_000),
        "BERT-base, эпоха SST-2": (
            BertForSequenceClassification(BertConfig(n_classes=2)),
            torch.zeros(1, 32, dtype=torch.long),  # (B, T)
            67_349,
        ),
        "GPT-2, 200 шагов по 4 · 512": (
            GPT2(GPT2Config()),
            torch.zeros(1, 512, dtype=torch.long),
            4 * 200,
        ),
        "ViT-B/16, эпоха Oxford-IIIT Pet": (
            ViT(ViTConfig()),
            picture,
            3680,
        ),
    }
useful = 8.1e12 / 2  # операций в секунду: половина паспортных у T4
for title, (model, inputs, n_examples) in tasks.items():
    total = training_operations(model.train(), inputs) * n_examples
    print(
        f"{title:32s} {total:.1e} операций, {total / useful / 60:4.1f} мин"
    )

# --8<-- [start:build]
import torch
from torch import nn
from torchvision.models import resnet50
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel
from transformers import ViTConfig, ViTForImageClassification

# Устройство meta хранит формы тензоров без чисел: память и веса не нужны.
with torch.device("meta"):
    models = {
        "ResNet-50": resnet50(),
        "Transformer": nn.ModuleList(
            [
                nn.Transformer(512, 8, 6, 6, 2048, batch_first=True),
                nn.Embedding(
                    37_000, 512
                ),  # один словарь на оба языка и на выход
            ]
        ),
        "BERT-base": BertModel(BertConfig()),
        "GPT-2": GPT2LMHeadModel(GPT2Config()),
        "ViT-B/16": ViTForImageClassification(ViTConfig(num_labels=1000)),
    }
# --8<-- [end:build]


# --8<-- [start:params]
# docs: quote resnet50_params transformer_params bert_params gpt2_params vit_params
def count(module):
    return sum(
        p.numel() for p in module.parameters()
    )  # общий тензор — один раз


def grouped(n):
    return f"{n:,}".replace(",", " ")


totals = [count(model) for model in models.values()]
(
    resnet50_params,
    transformer_params,
    bert_params,
    gpt2_params,
    vit_params,
) = totals
print(
    f"{'модель':<12}{'параметров':>13}{'свёртки':>9}{'таблицы':>9}{'прочее':>8}"
)
for (name, model), total in zip(models.items(), totals):
    layers = list(model.modules())
    conv = sum(count(m) for m in layers if isinstance(m, nn.Conv2d)) / total
    table = (
        sum(count(m) for m in layers if isinstance(m, nn.Embedding)) / total
    )
    rest = 1 - conv - table
    print(
        f"{name:<12}{grouped(total):>13}{conv:>9.0%}{table:>9.0%}{rest:>8.0%}"
    )
# --8<-- [end:params]


# --8<-- [start:details]
def shared(model):
    """Имена параметров, которые указывают на уже встреченный тензор."""
    every = {
        name for name, _ in model.named_parameters(remove_duplicate=False)
    }
    return every - {name for name, _ in model.named_parameters()}


bert, gpt2, vit = (
    models[name].config for name in ("BERT-base", "GPT-2", "ViT-B/16")
)
activations = {
    "ResNet-50": "relu",
    "Transformer": models["Transformer"][0]
    .encoder.layers[0]
    .activation.__name__,
    "BERT-base": bert.hidden_act,
    "GPT-2": gpt2.activation_function,
    "ViT-B/16": vit.hidden_act,
}
print(
    f"{'модель':<12}{'нормализация':>16}{'штук':>6}{'активация':>11}{'общие':>7}"
)
for name, model in models.items():
    norms = [
        type(m).__name__
        for m in model.modules()
        if "Norm" in type(m).__name__
    ]
    print(
        f"{name:<12}{norms[0]:>16}{len(norms):>6}{activations[name]:>11}"
        f"{len(shared(model)):>7}"
    )
print(
    "GPT-2, общий тензор:",
    *shared(models["GPT-2"]),
    "= transformer.wte.weight",
)
# --8<-- [end:details]


# --8<-- [start:tokens]
# docs: quote vit_tokens
vit_tokens = (vit.image_size // vit.patch_size) ** 2 + 1
rows = {
    "BERT-base": (
        bert.max_position_embeddings,
        bert.vocab_size,
        "токен текста",
    ),
    "GPT-2": (gpt2.n_positions, gpt2.vocab_size, "токен текста"),
    "ViT-B/16": (vit_tokens, None, "патч 16×16 или [CLS]"),
}
print(f"{'модель':<11}{'позиций':>8}{'словарь':>9}  что такое токен")
for name, (positions, vocabulary, token) in rows.items():
    print(f"{name:<11}{positions:>8}{vocabulary or '—':>9}  {token}")
# --8<-- [end:tokens]

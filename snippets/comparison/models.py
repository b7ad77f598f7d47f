# --8<-- [start:build]
import torch
from modern_nets.bert import bert_base
from modern_nets.gpt2 import gpt2
from modern_nets.resnet import resnet50
from modern_nets.transformer import transformer_base
from modern_nets.vit import vit_b_16

# На устройстве meta у тензоров есть формы, но нет чисел: веса не нужны.
with torch.device("meta"):
    picture = torch.empty(1, 3, 224, 224)
    text = torch.zeros(
        1, 197, dtype=torch.long
    )  # столько же, сколько у ViT
    models = {
        "ResNet-50": (resnet50(), (picture,)),
        "Transformer": (transformer_base(), (text, text)),
        "BERT-base": (bert_base(), (text,)),
        "GPT-2": (gpt2(), (text,)),
        "ViT-B/16": (vit_b_16(), (picture,)),
    }
# --8<-- [end:build]


# --8<-- [start:params]
# docs: quote transformer_params
from torch import nn


def count(module):
    return sum(p.numel() for p in module.parameters())


def share(model, kind):
    """Какая доля параметров лежит в слоях этого вида."""
    layers = [m for m in model.modules() if isinstance(m, kind)]
    return sum(map(count, layers)) / count(model)


print(
    f"{'':<12}{'параметров':>13}{'свёртки':>9}{'Linear':>8}{'таблицы':>9}"
)
for name, (model, _) in models.items():
    total = f"{count(model):,}".replace(",", " ")
    parts = [share(model, k) for k in (nn.Conv2d, nn.Linear, nn.Embedding)]
    print(
        f"{name:<12}{total:>13}{parts[0]:>9.0%}{parts[1]:>8.0%}{parts[2]:>9.0%}"
    )

transformer_params = count(models["Transformer"][0])
# --8<-- [end:params]


# --8<-- [start:cost]
# docs: quote resnet_macs vit_macs bert_macs resnet_memory vit_memory vit_ratio same_price
# docs: expect vit_macs > 4 * resnet_macs
# docs: expect vit_memory < 2 * resnet_memory
# docs: expect -0.05 < same_price < 0.05
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(model, inputs):
    """Миллиарды умножений со сложением за один прямой проход."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(*inputs)
    return counter.get_total_flops() / 2e9


def activation_memory(model, inputs):
    """Сколько МиБ прямой проход откладывает для обратного, без весов."""
    weights = [*model.parameters(), *model.buffers()]
    own = {w.untyped_storage()._cdata for w in weights}
    kept = {}  # одну память могут хранить несколько операций

    def keep(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        model.train()(*inputs)
    sizes = {key: t.untyped_storage().nbytes() for key, t in kept.items()}
    return (
        sum(size for key, size in sizes.items() if key not in own) / 2**20
    )


costs = {
    name: (multiply_adds(*pair), activation_memory(*pair))
    for name, pair in models.items()
}
print(
    f"{'':<12}{'операций, млрд':>16}{'активаций, МиБ':>16}{'весов, МиБ':>12}"
)
for name, (macs, memory) in costs.items():
    weights = 4 * count(models[name][0]) / 2**20  # float32
    print(f"{name:<12}{macs:>16.1f}{memory:>16.0f}{weights:>12.0f}")

resnet_macs, resnet_memory = costs["ResNet-50"]
vit_macs, vit_memory = costs["ViT-B/16"]
bert_macs, _ = costs["BERT-base"]
vit_ratio = vit_macs / resnet_macs
same_price = 1 - bert_macs / vit_macs
# --8<-- [end:cost]


# --8<-- [start:inside]
def vocabulary_tables(model):
    """Сколько в модели матриц, где по строке на токен словаря."""
    size = getattr(model.config, "vocab_size", None)
    return sum(p.dim() == 2 and len(p) == size for p in model.parameters())


print(
    f"{'':<12}{'нормализация':>14}{'штук':>6}{'активация':>11}{'таблиц':>8}{'токенов':>9}"
)
for name, (model, _) in models.items():
    norms = [m for m in model.modules() if "Norm" in type(m).__name__]
    config = model.config
    # ReLU у ResNet и синусы у Transformer вписаны в код, а не в настройки.
    activation = getattr(config, "activation", "relu")
    limit = getattr(config, "max_tokens", "—")
    if name == "ViT-B/16":
        limit = (config.image_size // config.patch_size) ** 2 + 1
    print(
        f"{name:<12}{type(norms[0]).__name__:>14}{len(norms):>6}{activation:>11}"
        f"{vocabulary_tables(model):>8}{limit:>9}"
    )
# --8<-- [end:inside]

# --8<-- [start:flops]
# docs: quote resnet_gflop vit_gflop bert_gflop gpt2_gflop
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet50
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel
from transformers import ViTConfig, ViTForImageClassification

with torch.device("meta"):
    resnet = resnet50().eval()
    vit = ViTForImageClassification(ViTConfig(num_labels=1000)).eval()
    bert = BertModel(BertConfig()).eval()
    gpt2 = GPT2LMHeadModel(GPT2Config()).eval()


def gflop(model, x, **kwargs):
    """Миллиарды операций прямого прохода; сложение и умножение — две операции."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x, **kwargs)
    return counter.get_total_flops() / 1e9


def picture(side):
    return torch.empty(1, 3, side, side, device="meta")


def tokens(length):
    return torch.zeros(1, length, dtype=torch.long, device="meta")


resnet_gflop, vit_gflop = (
    gflop(resnet, picture(224)),
    gflop(vit, picture(224)),
)
bert_gflop, gpt2_gflop = gflop(bert, tokens(512)), gflop(gpt2, tokens(1024))
print(f"ResNet-50, картинка 224×224: {resnet_gflop:6.1f} млрд операций")
print(f"ViT-B/16,  картинка 224×224: {vit_gflop:6.1f}")
print(f"BERT-base, 512 токенов:      {bert_gflop:6.1f}")
print(f"GPT-2,     1024 токена:      {gpt2_gflop:6.1f}")
# --8<-- [end:flops]


# --8<-- [start:growth]
# docs: alt Кривые числа операций от стороны картинки: ResNet-50 растёт вместе с площадью, ViT-B/16 — заметно быстрее площади
# docs: quote ratio_small ratio_large resnet_growth vit_growth
import matplotlib.pyplot as plt

sides = [224, 320, 448, 640, 896]
resnet_cost = [gflop(resnet, picture(s)) for s in sides]
vit_cost = [
    gflop(vit, picture(s), interpolate_pos_encoding=True) for s in sides
]
ratio_small, ratio_large = (
    vit_cost[0] / resnet_cost[0],
    vit_cost[-1] / resnet_cost[-1],
)
resnet_growth = resnet_cost[-1] / resnet_cost[0]
vit_growth = vit_cost[-1] / vit_cost[0]

figure, axes = plt.subplots(figsize=(5.5, 3.6))
axes.plot(sides, vit_cost, "o-", label="ViT-B/16")
axes.plot(sides, resnet_cost, "s-", label="ResNet-50")
axes.set_xlabel("сторона картинки, пикселей")
axes.set_ylabel("млрд операций")
axes.set_xticks(sides)
axes.legend()
plt.show()
# --8<-- [end:growth]

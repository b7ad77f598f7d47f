# --8<-- [start:latency]
# docs: timed
import time
from statistics import median

import torch
from modern_nets.bert import bert_base
from modern_nets.gpt2 import gpt2
from modern_nets.resnet import resnet50
from modern_nets.transformer import transformer_base
from modern_nets.vit import vit_b_16


def milliseconds(model, inputs, rounds=5):
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        model(*inputs)
        times.append(1000 * (time.perf_counter() - start))
    return median(times[1:])  # первый раз — прогрев


picture = torch.zeros(1, 3, 224, 224)
text = torch.zeros(1, 197, dtype=torch.long)
with torch.inference_mode():
    for name, build, inputs in (
        ("ResNet-50", resnet50, (picture,)),
        ("Transformer", transformer_base, (text, text)),
        ("BERT-base", bert_base, (text,)),
        ("GPT-2", gpt2, (text,)),
        ("ViT-B/16", vit_b_16, (picture,)),
    ):
        model = build().eval()  # веса случайны: времени это не меняет
        print(f"{name:<12}{milliseconds(model, inputs):>6.0f} мс")
# --8<-- [end:latency]


# --8<-- [start:growth]
# docs: quote ratio_small ratio_large resnet_growth vit_growth
# docs: expect vit_growth > 1.5 * resnet_growth
# docs: alt Кривые числа операций от стороны картинки: ResNet-50 растёт вместе с площадью, ViT-B/16 — заметно быстрее площади
import matplotlib.pyplot as plt
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(build, side):
    """Миллиарды умножений со сложением на картинку side × side."""
    with torch.device("meta"), torch.no_grad():
        model, picture = build(side).eval(), torch.empty(1, 3, side, side)
        with FlopCounterMode(display=False) as counter:
            model(picture)
    return counter.get_total_flops() / 2e9


sides = [224, 320, 448, 640, 896]
resnet_cost = [
    multiply_adds(lambda side: resnet50(), side) for side in sides
]
vit_cost = [
    multiply_adds(lambda side: vit_b_16(image_size=side), side)
    for side in sides
]
ratio_small, ratio_large = (vit_cost[i] / resnet_cost[i] for i in (0, -1))
resnet_growth, vit_growth = (
    cost[-1] / cost[0] for cost in (resnet_cost, vit_cost)
)

figure, axes = plt.subplots(figsize=(5.5, 3.6))
axes.plot(sides, vit_cost, "o-", label="ViT-B/16")
axes.plot(sides, resnet_cost, "s-", label="ResNet-50")
axes.set_xlabel("сторона картинки, пикселей")
axes.set_ylabel("умножений-сложений, млрд")
axes.set_xticks(sides)
axes.legend()
plt.show()
# --8<-- [end:growth]

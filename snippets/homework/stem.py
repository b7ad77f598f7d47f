# docs: quote stem_side last_side soft_side
import torch
from torch import nn
from torchvision.models import resnet18

with torch.device("meta"):
    usual, soft = resnet18().eval(), resnet18().eval()
    soft.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
    soft.maxpool = nn.Identity()


def sides(model, side):
    """Сторона карты признаков после каждого этапа сети."""
    x, found = torch.empty(1, 3, side, side, device="meta"), {}
    for name, layer in list(model.named_children())[
        :-2
    ]:  # без пулинга и головы
        x = layer(x)
        found[name] = x.shape[-1]
    return found


usual_32, soft_32, usual_224 = (
    sides(usual, 32),
    sides(soft, 32),
    sides(usual, 224),
)
print(f"{'этап':<10}{'32 как есть':>13}{'32 новое начало':>17}{'224':>6}")
for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
    print(
        f"{name:<10}{usual_32[name]:>13}{soft_32[name]:>17}{usual_224[name]:>6}"
    )
stem_side, last_side = usual_32["maxpool"], usual_32["layer4"]
soft_side = soft_32["layer4"]

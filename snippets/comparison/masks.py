# --8<-- [start:masks]
import torch
from modern_nets.attention import MultiHeadAttention, causal_mask

masks = {
    "энкодер (BERT, ViT)": torch.ones(4, 4, dtype=torch.bool),
    "декодер (GPT)": causal_mask(4),
    "перекрёстное: 4 токена смотрят на 3": torch.ones(
        4, 3, dtype=torch.bool
    ),
}
for name, mask in masks.items():
    print(name)
    for (
        row
    ) in mask.int().tolist():  # строка — кто смотрит, столбец — на кого
        print("  ", *("■" if seen else "·" for seen in row))
# --8<-- [end:masks]


# --8<-- [start:influence]
torch.manual_seed(0)
layer = MultiHeadAttention(d_model=16, n_heads=4).eval()
source, target = torch.randn(1, 3, 16), torch.randn(1, 4, 16)


def who_noticed(before, after):
    changed = (before - after).abs().amax(dim=-1)[0] > 1e-6
    return [i + 1 for i, flag in enumerate(changed.tolist()) if flag]


with torch.no_grad():
    other = target.clone()
    other[:, 2] += 1.0  # подменяем третий токен
    for name in list(masks)[:2]:
        mask = masks[name]
        print(
            f"{name}: изменились выходы",
            who_noticed(layer(target, mask=mask), layer(other, mask=mask)),
        )
    other = source.clone()
    other[:, 2] += 1.0  # третий токен другой последовательности
    print(
        "перекрёстное: изменились выходы",
        who_noticed(layer(target, source), layer(target, other)),
    )
# --8<-- [end:influence]


# --8<-- [start:receptive]
# docs: quote field
from modern_nets.resnet import ResidualBlock

block = ResidualBlock(1, 1).double().eval()
image = torch.zeros(1, 1, 15, 15, dtype=torch.float64)
touched = image.clone()
touched[..., 7, 7] = 1.0  # меняем один пиксель в середине
for p in block.parameters():
    p.data.fill_(0.1)  # положительные веса: ReLU ничего не обнулит
with torch.no_grad():
    before, after, seen = image, touched, []
    for depth in range(1, 4):
        before, after = block(before), block(after)
        seen.append(int((before != after).sum()))
        print(
            f"блоков: {depth}, "
            f"заметивших клеток: {seen[-1]} из {image.numel()}"
        )
field = seen[0]
# --8<-- [end:receptive]

# --8<-- [start:influence]
# docs: model tiny-vit, модель под рукой
# docs: near 0.5
import torch

from modern_nets import at_hand
from modern_nets.training.digits import load_digits
from modern_nets.vit import ViT

net = ViT.from_pretrained(at_hand("tiny-vit"))
digits = load_digits()
x, y = digits.x_test, digits.y_test  # 797 картинок, net их не видела


@torch.no_grad()
def attention_of_cls():
    """Внимание [CLS] к патчам по слоям, среднее по головам."""
    weights = net(x, return_attention=True).attentions  # (B, H, 17, 17)
    return [layer[:, :, 0, 1:].mean(1) for layer in weights]  # (B, 16)


def without(images, i):
    """Те же картинки, у которых патч i закрашен фоном."""
    r, c = i // 4 * 2, i % 4 * 2
    hidden = images.clone()
    hidden[:, :, r : r + 2, c : c + 2] = -1
    return hidden


@torch.no_grad()
def influence():
    """Насколько падает логит верного ответа, если закрасить патч."""
    picture = torch.arange(len(x))
    right = net(x).logits[picture, y]
    drops = [
        right - net(without(x, i)).logits[picture, y] for i in range(16)
    ]
    return torch.stack(drops, dim=1)  # (B, 16)


looks, matters = attention_of_cls(), influence()
print("внимание: слоёв", len(looks), "по", tuple(looks[0].shape))
print("влияние: ", tuple(matters.shape))
# --8<-- [end:influence]

# --8<-- [start:look]
# docs: model tiny-vit, модель под рукой
# docs: near 0.5
# docs: alt Четыре цифры; под каждой карта внимания токена [CLS] в слоях с первого по четвёртый, а внизу карта влияния: насколько падает логит верного ответа, если закрасить патч. В первом слое у всех цифр выделена середина; карта четвёртого слоя похожа на карту влияния лишь местами.
import matplotlib.pyplot as plt

chosen = [(y == digit).nonzero()[0].item() for digit in (0, 3, 4, 7)]
maps = {f"слой {n}": layer for n, layer in enumerate(looks, start=1)}
maps["влияние"] = matters
figure, axes = plt.subplots(6, 4, figsize=(4.4, 6.6))
for column, i in zip(axes.T, chosen):
    column[0].imshow(x[i, 0].numpy(), cmap="Blues")
    for axis, values in zip(column[1:], maps.values()):
        axis.imshow(values[i].view(4, 4).numpy(), cmap="Blues", vmin=0)
    for axis in column:
        axis.set(xticks=[], yticks=[])
for axis, title in zip(axes[:, 0], ["цифра", *maps]):
    axis.set_ylabel(title)
plt.show()
# --8<-- [end:look]


# --8<-- [start:explain]
# docs: model tiny-vit, модель под рукой
# docs: near 0.5
# docs: quote link_last link_error link_ink
# docs: expect link_last - link_error > 0.3 and link_last + link_error < 0.8
# docs: expect link_ink > 0.8 * link_last
def link(a, b):
    """Корреляция двух карт каждой картинки: среднее и 95 %-я ошибка."""
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    links = torch.cosine_similarity(a, b, dim=1)  # (797,)
    error = 1.96 * links.std() / len(links) ** 0.5
    return links.mean().item(), error.item()


ink = torch.nn.functional.avg_pool2d(x, 2).flatten(1)  # яркость патчей
rivals = {name: map for name, map in maps.items() if name != "влияние"}
rivals["яркость патча"] = ink
print("корреляция с влиянием (по 797 картинкам)")
links = {}
for name, values in rivals.items():
    links[name] = link(values, matters)
    print(f"{name:14} {links[name][0]:.2f} ± {links[name][1]:.2f}")
link_last, link_error = links["слой 4"]
link_ink = links["яркость патча"][0]
# --8<-- [end:explain]


# --8<-- [start:erase]
# docs: model tiny-vit, модель под рукой
# docs: near 0.3
# docs: quote whole by_attention by_ink by_influence by_chance same_top
# docs: expect by_influence < by_attention - 5
# docs: expect by_attention < by_chance - 10 and same_top < 0.6
@torch.no_grad()
def erase_top(score):
    """Точность, если у каждой картинки закрасить её первый патч."""
    hidden, first = x.clone(), score.argmax(1)
    for i in range(16):
        hidden[first == i] = without(x[first == i], i)
    right = net(hidden).logits.argmax(1) == y
    return 100 * right.float().mean().item()


same_top = (looks[-1].argmax(1) == matters.argmax(1)).float().mean().item()
whole = 100 * (net(x).logits.argmax(1) == y).float().mean().item()
by_attention, by_ink = erase_top(looks[-1]), erase_top(ink)
by_influence = erase_top(matters)
torch.manual_seed(0)
by_chance = erase_top(torch.rand(len(x), 16))
print(f"ничего не закрашено              {whole:5.0f} %")
print(f"закрашен случайный патч          {by_chance:5.0f} %")
print(f"самый яркий                      {by_ink:5.0f} %")
print(f"первый по вниманию (слой 4)      {by_attention:5.0f} %")
print(f"первый по влиянию                {by_influence:5.0f} %")
print(f"два последних патча — один и тот же у {same_top:.0%} картинок")
# --8<-- [end:erase]

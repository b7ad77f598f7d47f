# --8<-- [start:setup]
import math
from statistics import mean

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from modern_nets.training.digits import load_digits
from modern_nets.vit import ViT, ViTConfig

x_train, y_train, x_test, y_test = load_digits()
small = ViTConfig(
    image_size=8,
    patch_size=2,
    n_channels=1,
    n_classes=10,
    d_model=32,
    n_heads=4,
    n_layers=2,
    d_mlp=64,
)


def almost_no_positions():
    net = ViT(small)
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.reset_parameters()
    # Почти нули: всё, что вырастет, выучено.
    nn.init.normal_(net.position_embedding, std=0.02)
    return net


def train(net, change, lr=0.006, steps=150):
    optimizer = torch.optim.AdamW(
        net.parameters(), lr, weight_decay=0.05, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps)
    for _ in range(steps):
        batch = torch.randint(len(x_train), (16,))
        loss = net(change(x_train[batch]), y_train[batch]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


# --8<-- [end:setup]


# --8<-- [start:learn]
# docs: near 2.5
# docs: quote link_still link_moving
# docs: expect link_moving < link_still - 0.15
def keep(images):
    return images


def wander(images, far=2):
    """Каждая цифра сдвинута на свои −2…2 пикселя вбок и вверх-вниз."""
    wide = F.pad(images, (far, far, far, far), value=-1)
    start = torch.randint(2 * far + 1, (2, len(images), 1))
    rows, columns = start + torch.arange(8)  # (2, B, 8)
    picture = torch.arange(len(images))[:, None, None]
    return wide[picture, 0, rows[:, :, None], columns[:, None, :]][:, None]


def similarity(change, seed):
    torch.manual_seed(seed)
    net = train(almost_no_positions(), change)
    table = net.position_embedding.detach()[0, 1:]  # без [CLS]
    table = F.normalize(table - table.mean(0), dim=1)
    return table @ table.T  # косинусы, (16, 16)


place = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
distance = torch.cdist(place, place).round(decimals=2)  # между патчами
others = distance > 0


def link_with_distance(cosines):
    rows = torch.stack([cosines[others], distance[others]])
    return torch.corrcoef(rows)[0, 1].item()


changes = {"на месте": keep, "ездят по кадру": wander}
tables, links = {}, {}
print("сходство позиций и расстояние, корреляция: три запуска")
for name, change in changes.items():
    tables[name] = [similarity(change, seed) for seed in (0, 1, 2)]
    links[name] = [link_with_distance(table) for table in tables[name]]
    print(f"{name:15}", *(f"{link:6.2f}" for link in links[name]))
link_still, link_moving = (mean(link) for link in links.values())
# --8<-- [end:learn]


# --8<-- [start:figure]
# docs: alt Карта сходства позиций: 4 × 4 клетки по 4 × 4 числа. У сети, чьи картинки ездили по кадру, в каждой клетке светел сам патч и места рядом с ним, а дальние темны; у другой сети светел только сам патч.
def mosaic(cosines):
    """Клетка мозаики — сходство одной позиции со всеми шестнадцатью."""
    maps = torch.full((4, 5, 4, 5), math.nan)  # пятые — зазоры
    maps[:, :4, :, :4] = cosines.reshape(4, 4, 4, 4).permute(0, 2, 1, 3)
    return maps.reshape(20, 20)[:19, :19]


figure, axes = plt.subplots(1, 2, figsize=(6, 3.1))
for axis, (title, found) in zip(axes, tables.items()):
    cosines = mosaic(found[0]).numpy()  # первый из трёх запусков
    picture = axis.imshow(cosines, cmap="viridis", vmin=-1, vmax=1)
    axis.set_title(title)
    axis.axis("off")
figure.colorbar(picture, ax=axes, shrink=0.8, label="косинус")
plt.show()
# --8<-- [end:figure]

# --8<-- [start:profile]
# docs: near 2.5
# docs: quote near_still near_moving
# docs: expect near_moving > near_still + 0.1
# docs: alt График: средний косинус двух позиций против расстояния между патчами, по три линии на каждый вид обучения. Когда цифры ездят по кадру, соседние позиции похожи, а на расстоянии около трёх — скорее противоположны, и лишь у противоположных углов косинус снова растёт; когда стоят на месте, соседи не выделяются.
figure, axis = plt.subplots(figsize=(5.2, 3.1))
steps = distance[others].unique()
near = {}
for color, (title, found) in zip(("C0", "C1"), tables.items()):
    profiles = [
        [t[distance == d].mean().item() for d in steps] for t in found
    ]
    for profile in profiles:
        axis.plot(steps.tolist(), profile, "o-", c=color, ms=3)
    axis.plot([], [], "o-", c=color, ms=3, label=title)
    near[title] = mean(profile[0] for profile in profiles)
near_still, near_moving = near.values()
axis.set_xlabel("расстояние между патчами")
axis.set_ylabel("средний косинус")
axis.legend(title="линия — запуск", loc="upper center")
figure.tight_layout()
plt.show()
print(f"соседи: на месте {near_still:.2f}, ездят {near_moving:.2f}")
# --8<-- [end:profile]

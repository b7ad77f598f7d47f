# --8<-- [start:wrong_size]
# docs: model tiny-vit, модель под рукой
import torch

from modern_nets import at_hand
from modern_nets.vit import ViT

name = at_hand("tiny-vit")  # обучена на картинках 8 × 8: сетка 4 × 4
net = ViT.from_pretrained(name)


def embed_without_checks(images):
    """Как в учебных реализациях: размер картинки никто не проверяет."""
    patches = net.patch_embedding(images).flatten(2).mT
    cls = net.cls_token.expand(len(images), -1, -1)
    return torch.cat([cls, patches], dim=1) + net.position_embedding


square, strip = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 4, 16)
for title, images in (("16 × 16", square), ("4 × 16 ", strip)):
    try:
        shape = tuple(embed_without_checks(images).shape)
        print(f"{title}: токены {shape}, ошибки нет")
    except RuntimeError as error:
        print(f"{title}: {str(error)[:34]}…")
# --8<-- [end:wrong_size]


# --8<-- [start:check_size]
# docs: model tiny-vit, модель под рукой
for images in (square, strip):
    try:
        net(images)
    except ValueError as error:
        print(str(error).split(":")[0])
# --8<-- [end:check_size]


# --8<-- [start:resize]
# docs: model tiny-vit, модель под рукой
# docs: near 0.5
# docs: quote at_home stretched random_table
# docs: expect stretched > random_table + 30
from dataclasses import replace

import torch.nn.functional as F

from modern_nets.training.digits import load_digits


def stretch(position, old, new):
    """Растягивает таблицу позиций как картинку; [CLS] не трогает."""
    cls, patches = position[:, :1], position[:, 1:]
    grid = patches.mT.unflatten(2, (old, old))  # (1, D, old, old)
    grid = F.interpolate(grid, (new, new), mode="bicubic")
    return torch.cat([cls, grid.flatten(2).mT], dim=1)


def bigger(table):
    """Та же сеть с сеткой 8 × 8 и данной таблицей позиций."""
    big = ViT(replace(net.config, image_size=16)).eval()
    big.load_state_dict(net.state_dict() | {"position_embedding": table})
    return big


def enlarge(images):
    return F.interpolate(images, (16, 16), mode="bilinear")


@torch.no_grad()
def accuracy(model, x):
    right = model(x).logits.argmax(1) == digits.y_test
    return 100 * right.float().mean().item()


digits = load_digits()
x_big = enlarge(digits.x_test)
table = stretch(net.position_embedding.detach(), old=4, new=8)
print(tuple(net.position_embedding.shape), "→", tuple(table.shape))
torch.manual_seed(0)
noise = table.std() * torch.randn_like(table)
at_home = accuracy(net, digits.x_test)
stretched = accuracy(bigger(table), x_big)
random_table = accuracy(bigger(noise), x_big)
print(f"8 × 8, своя таблица         {at_home:5.1f} %")
print(f"16 × 16, растянутая таблица {stretched:5.1f} %")
print(f"16 × 16, случайная таблица  {random_table:5.1f} %")
# --8<-- [end:resize]


# --8<-- [start:tune]
# docs: model tiny-vit, модель под рукой
# docs: near 0.3
# docs: quote tuned
# docs: expect tuned > stretched
def tune(seed, steps=10):
    torch.manual_seed(seed)
    big = bigger(table).train()
    optimizer = torch.optim.AdamW(big.parameters(), lr=3e-4, fused=True)
    for _ in range(steps):
        batch = torch.randint(1000, (32,))
        images = enlarge(digits.x_train[batch])
        loss = big(images, digits.y_train[batch]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return accuracy(big.eval(), x_big)


found = [tune(seed) for seed in (0, 1, 2)]
tuned = sum(found) / 3
print("ещё 10 шагов:", *(f"{right:.1f} %" for right in found))
# --8<-- [end:tune]

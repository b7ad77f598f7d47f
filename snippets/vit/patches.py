# --8<-- [start:price]
def price(patch_size, image_size=224, n_heads=12):
    """Сколько токенов и сколько байт займут матрицы внимания одного слоя."""
    n_tokens = (image_size // patch_size) ** 2 + 1  # +1 — токен [CLS]
    return n_tokens, n_heads * n_tokens**2 * 4  # float32 — 4 байта


print("патч     токенов   матрицы одного слоя")
for patch_size in (1, 8, 16, 32):
    n_tokens, n_bytes = price(patch_size)
    power, unit = (30, "ГиБ") if n_bytes >= 2**30 else (20, "МиБ")
    side = f"{patch_size}×{patch_size}"
    print(f"{side:7} {n_tokens:8} {n_bytes / 2**power:12.1f} {unit}")

ratio = price(8)[1] / price(16)[1]
print(f"патч 8 против 16: матрица в {ratio:.1f} раза больше")
# --8<-- [end:price]

# --8<-- [start:by_hand]
import torch

picture = torch.arange(16).reshape(4, 4)
print(picture)

# (строка патча, y внутри, столбец патча, x внутри)
blocks = picture.reshape(2, 2, 2, 2)
# Оси номера патча — вперёд, оси внутри патча — назад.
patches = blocks.permute(0, 2, 1, 3).reshape(4, 4)
print("патчи — строки:")
print(patches)
# --8<-- [end:by_hand]

# --8<-- [start:projection_by_hand]
brightness = [0.25, 0.25, 0.25, 0.25]  # средняя яркость патча
slope = [-0.5, 0.5, -0.5, 0.5]  # перепад слева направо
E = torch.tensor([brightness, slope]).T  # (P·P, D) = (4, 2)
print(patches.float() @ E)  # (N, D) = (4, 2)
# --8<-- [end:projection_by_hand]

# --8<-- [start:cat]
import numpy as np
from PIL import Image
from skimage.data import chelsea

photo = Image.fromarray(chelsea())  # кошка Челси, 451 × 300
side = min(photo.size)
left = (photo.width - side) // 2
square = photo.crop((left, 0, left + side, side))
cat = square.resize((224, 224), Image.Resampling.BICUBIC)

pixels = torch.from_numpy(np.array(cat)).permute(2, 0, 1)  # (C, H, W)
images = pixels[None] / 127.5 - 1  # (B, C, H, W), числа от −1 до 1
print("пакет из одной картинки:", tuple(images.shape))
# --8<-- [end:cat]


# --8<-- [start:cut]
def cut(images, P):
    """(B, C, H, W) → (B, N, C·P·P): патчи слева направо, сверху вниз."""
    B, C, H, W = images.shape
    x = images.reshape(B, C, H // P, P, W // P, P)
    x = x.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P)
    return x.reshape(B, (H // P) * (W // P), C * P * P)


patches = cut(images, 16)
print("патчи:", tuple(patches.shape))
# --8<-- [end:cut]

# --8<-- [start:show]
# docs: quote same_shape in_place
# docs: expect same_shape and in_place < 0.1
# docs: alt Слева фотография кошки, разрезанная на 14 × 14 квадратов: кошка узнаётся. Справа те же пиксели после reshape без permute: вместо квадратов — обрезки строк, кошка исчезла.
import matplotlib.pyplot as plt


def sheet(patches, P=16, gap=4):
    """Раскладывает патчи по клеткам с прозрачными промежутками."""
    n = int(patches.shape[0] ** 0.5)
    cell = P + gap
    canvas = np.zeros((n * cell, n * cell, 4))
    for i, patch in enumerate(patches.reshape(-1, 3, P, P)):
        y, x = i // n * cell, i % n * cell
        canvas[y : y + P, x : x + P, :3] = (patch.permute(1, 2, 0) + 1) / 2
        canvas[y : y + P, x : x + P, 3] = 1
    return canvas


wrong = images.reshape(1, 196, 768)  # форма верная, содержимое — нет
same_shape = wrong.shape == patches.shape
in_place = (wrong == patches).float().mean().item()  # совпавшие числа
figure, axes = plt.subplots(1, 2, figsize=(6, 3.2))
shown = {"cut": patches, "один reshape": wrong}
for axis, (title, rows) in zip(axes, shown.items()):
    axis.imshow(sheet(rows[0]))
    axis.set_title(title)
    axis.axis("off")
plt.show()
print("формы равны:", same_shape)
print(f"чисел на своих местах: {in_place:.1%}")
# --8<-- [end:show]

# --8<-- [start:convolution]
# docs: near 2
# docs: quote difference
# docs: expect difference < 1e-4
from torch import nn

torch.manual_seed(0)
convolution = nn.Conv2d(3, 768, kernel_size=16, stride=16)
linear = nn.Linear(768, 768)
with torch.no_grad():
    # (D, C, P, P) → (D, C·P·P): тот же порядок чисел, что в патче
    linear.weight.copy_(convolution.weight.flatten(1))
    linear.bias.copy_(convolution.bias)

    by_linear = linear(patches)  # (B, N, D)
    grid = convolution(images)  # (B, D, 14, 14)
    by_convolution = grid.flatten(2).mT  # (B, D, N) → (B, N, D)

print("карта свёртки:", tuple(grid.shape))
print("токены:       ", tuple(by_convolution.shape))
difference = (by_linear - by_convolution).abs().max().item()
print(f"наибольшее расхождение: {difference:.0e}")
# --8<-- [end:convolution]

# --8<-- [start:embed]
torch.manual_seed(0)
D = 768
cls_token = torch.zeros(1, 1, D)
position = 0.02 * torch.randn(1, 197, D)

tokens = by_convolution  # (1, 196, 768)
print("патчи после проекции:", tuple(tokens.shape))
cls = cls_token.expand(len(tokens), -1, -1)  # один вектор на весь пакет
tokens = torch.cat([cls, tokens], dim=1)
print("с [CLS] впереди:     ", tuple(tokens.shape))
tokens = tokens + position
print("с позициями:         ", tuple(tokens.shape))
# --8<-- [end:embed]

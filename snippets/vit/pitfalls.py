# --8<-- [start:failing]
from PIL import Image
from skimage import data
from transformers import ViTImageProcessor

processor = ViTImageProcessor()  # настройки по умолчанию: 224 × 224
pictures = {
    "логотип": Image.fromarray(data.logo()),
    "портрет": Image.fromarray(data.camera()),
    "палитра": Image.fromarray(data.chelsea()).quantize(64),
    "точка": Image.new("RGB", (1, 1), "red"),
}
for name, picture in pictures.items():
    try:
        batch = processor(images=picture, return_tensors="pt")
        verdict = tuple(batch["pixel_values"].shape)
    except RuntimeError as error:
        verdict = str(error)[:34] + "…"
    print(f"{name:8} {picture.mode:4} {verdict}")
# --8<-- [end:failing]

# --8<-- [start:prepare]
from PIL import ImageOps


def prepare(picture, smallest=16):
    """Любая картинка → RGB, стоящая прямо; слишком маленькая — ошибка."""
    picture = ImageOps.exif_transpose(picture)  # пока метка цела
    if min(picture.size) < smallest:
        w, h = picture.size
        raise ValueError(f"картинка {w} × {h}, сторона меньше {smallest}")
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        # Прозрачное кладём на белое: convert отбросил бы прозрачность молча.
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    return picture.convert("RGB")


for name, picture in pictures.items():
    try:
        batch = processor(images=prepare(picture), return_tensors="pt")
        verdict = tuple(batch["pixel_values"].shape)
    except ValueError as error:
        verdict = error
    print(f"{name:8} {picture.mode:4} {verdict}")
# --8<-- [end:prepare]

# --8<-- [start:exif]
# docs: alt Слева кошка лежит на боку: так её видит сеть без учёта метки EXIF. Справа та же фотография после exif_transpose стоит прямо.
import io

import matplotlib.pyplot as plt

# Телефон держали боком: пиксели лежат, а в EXIF сказано «повернуть».
exif = Image.Exif()
exif[0x0112] = 6  # метка Orientation: показывать повёрнутым на 90° вправо
file = io.BytesIO()
lying = Image.fromarray(data.chelsea()).rotate(90, expand=True)
lying.save(file, "JPEG", exif=exif)

photo = Image.open(file)
shown = (photo.convert("RGB"), prepare(photo))
figure, axes = plt.subplots(1, 2, figsize=(5.5, 3))
for axis, image, title in zip(axes, shown, ("видит сеть", "видит человек")):
    axis.imshow(image)
    axis.set_title(title)
    axis.axis("off")
plt.show()
print("пиксели в файле:", shown[0].size)
print("после поворота: ", shown[1].size)
# --8<-- [end:exif]

# --8<-- [start:at_hand]
# docs: model tiny-vit, модель под рукой
# docs: near 0.3
import torch
from PIL import Image
from transformers import ViTForImageClassification, ViTImageProcessor

from modern_nets import at_hand
from modern_nets.training.digits import load_digits

name = at_hand("tiny-vit")  # папка внутри пакета курса
processor = ViTImageProcessor.from_pretrained(name)
reader = ViTForImageClassification.from_pretrained(name)

digits = load_digits()  # те же 1000 и 797 картинок
pixels = (digits.x_test[0, 0] + 1) * 127.5
image = Image.fromarray(pixels.byte().numpy())  # обычная серая картинка
inputs = processor(images=image, return_tensors="pt")
with torch.no_grad():
    chances = reader(**inputs).logits[0].softmax(-1)

print("картинка:", tuple(inputs["pixel_values"].shape))
print("на самом деле:", digits.y_test[0].item())
for chance, i in zip(*chances.topk(3), strict=True):
    print(f"{reader.config.id2label[i.item()]}: {chance:.3f}")
# --8<-- [end:at_hand]


# --8<-- [start:official]
# docs: official google/vit-base-patch16-224
from skimage import data

name = "google/vit-base-patch16-224"
processor = ViTImageProcessor.from_pretrained(name)
reader = ViTForImageClassification.from_pretrained(name)

cat = Image.fromarray(data.chelsea())  # цветная: RGB
inputs = processor(images=cat, return_tensors="pt")
with torch.no_grad():
    chances = reader(**inputs).logits[0].softmax(-1)

print("картинка:", tuple(inputs["pixel_values"].shape))
print("классов:", len(chances))  # веса случайны, класс не показываем
# --8<-- [end:official]


# --8<-- [start:mistakes]
# docs: model tiny-vit, модель под рукой
# docs: near 0.5
# docs: quote n_mistakes
# docs: alt Отложенные цифры, которые сеть назвала неверно; над каждой написано, что сеть ответила и что это на самом деле. Многие трудно разобрать и человеку.
import matplotlib.pyplot as plt

from modern_nets.vit import ViT

net = ViT.from_pretrained(at_hand("tiny-vit"))
with torch.no_grad():
    answers = net(digits.x_test).logits.argmax(-1)
wrong = (answers != digits.y_test).nonzero().flatten()
n_mistakes = len(wrong)
print(f"ошибок: {n_mistakes} из {len(answers)}")

figure, axes = plt.subplots(2, 5, figsize=(5.5, 2.9))
for axis in axes.flat:
    axis.axis("off")
for axis, i in zip(axes.flat, wrong[:10]):
    axis.imshow(digits.x_test[i, 0].numpy(), cmap="Blues")
    axis.set_title(f"{answers[i]}, а это {digits.y_test[i]}", fontsize=9)
plt.show()
# --8<-- [end:mistakes]


# --8<-- [start:quality]
# docs: model измерено командой modern-nets evaluate
# docs: quote vit_mean cnn_mean mlp_mean smallest largest
import json

means, sizes = {}, []
print("пять обучений  параметров   среднее    худшее    лучшее")
for name in "tiny-vit", "tiny-resnet", "tiny-mlp":
    text = (at_hand(name) / "quality.json").read_text("utf-8")
    quality = json.loads(text)
    runs = quality["five_seeds"]
    sizes.append(quality["parameters"] / 1000)
    means[name] = 100 * runs["value"]
    line = [f"{100 * runs[key]:8.1f} %" for key in ("value", "low", "high")]
    print(f"{name:13s}{sizes[-1]:8.0f} тыс.", *line, sep="")
smallest, largest = min(sizes), max(sizes)
vit_mean, cnn_mean, mlp_mean = means.values()
# --8<-- [end:quality]


# --8<-- [start:stranger]
# docs: model tiny-vit, модель под рукой
# docs: near 0.5
from modern_nets.ask import recognize_digit

big = image.resize((200, 200))  # та же цифра, но как с телефона
on_paper = Image.new("RGBA", big.size, "white")
on_paper.paste("navy", mask=big)  # чернила на белом листе, RGBA
pictures = {
    "цифра 8 × 8": image,
    "чернила на листе": on_paper,
    "лист на боку": on_paper.rotate(90),
    "кошка Челси": cat,
}
for title, picture in pictures.items():
    digit, chance = recognize_digit(picture)[0]
    print(f"{title:17s} {digit} ({chance:.0%})")
for title, picture in (
    ("1 × 1", Image.new("L", (1, 1))),
    ("нет файла", "нет.png"),
):
    try:
        recognize_digit(picture)
    except (ValueError, OSError) as error:
        print(f"{title:17s} {error}")
# --8<-- [end:stranger]

# --8<-- [start:train]
# docs: near 0.5
from modern_nets.cli import main

asked = "finetune resnet --data digits --epochs 4 --device cpu --out runs/digits"
main(asked.split())
# --8<-- [end:train]


# --8<-- [start:predict]
# docs: near 9
from PIL import Image
from sklearn.datasets import load_digits

scan = load_digits().images[-1]  # восьмёрка, числа от 0 до 16
Image.fromarray((scan * 15).astype("uint8")).save("скан.png")
main(["predict", "runs/digits", "скан.png", "--device", "cpu"])
# --8<-- [end:predict]


# --8<-- [start:metrics]
# docs: timed
# docs: quote epoch_seconds
import csv

with open("runs/digits/metrics.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
epoch_seconds = float(rows[-1]["seconds"])
print("столбцы:", ", ".join(rows[-1]))
print(f"последняя эпоха: {epoch_seconds:.2f} с")
# --8<-- [end:metrics]

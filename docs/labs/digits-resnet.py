# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Лабораторная: ResNet против MLP на рукописных цифрах
#
# Первая домашняя задача модуля — дообучить ResNet-18 на CIFAR-10 и сравнить с MLP. Здесь то же
# сравнение проведено целиком на маленьких картинках и с сетью поменьше: ни видеокарты, ни
# интернета не нужно. Запустите ячейки сверху вниз, потом меняйте то, что предложено в конце.
#
# Понадобится: [урок о ResNet](../resnet.md) и пакет `modern_nets`.
#
# ## Данные
#
# В scikit-learn лежат 1797 настоящих сканов рукописных цифр размером 8 × 8. Треть откладываем
# на проверку: на ней сети не учатся.

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from modern_nets.resnet import ResidualBlock
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16  # (B, 1, 8, 8)
labels = torch.tensor(digits.target)
train_x, test_x, train_y, test_y = train_test_split(
    images, labels, test_size=1 / 3, random_state=0, stratify=labels
)
print(f"обучение: {len(train_x)} картинок, проверка: {len(test_x)}")

# %%
# docs: alt Десять картинок 8 на 8 точек: первые десять цифр обучающей выборки, от светлого фона к тёмным штрихам
figure, axes = plt.subplots(2, 5, figsize=(5, 2.4))
for axis, image, label in zip(axes.flat, train_x, train_y):
    axis.imshow(image[0], cmap="Greys")
    axis.set_title(str(label.item()))
    axis.axis("off")
plt.show()

# %% [markdown]
# ## Две сети равного размера
#
# MLP видит 64 числа подряд и не знает, какие точки соседние. Свёрточная сеть с остаточными
# блоками знает это по построению. Чтобы сравнение было честным, параметров у них почти поровну.


# %%
class TinyResNet(nn.Module):
    """Три остаточных блока: 8×8 → 8×8 → 4×4 → 2×2."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(
            ResidualBlock(16, 16),
            ResidualBlock(16, 32, stride=2),
            ResidualBlock(32, 32, stride=2),
        )
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        features = self.blocks(self.stem(x))  # (B, 32, 2, 2)
        return self.head(features.mean(dim=(2, 3)))


def make_mlp():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 160),
        nn.ReLU(),
        nn.Linear(160, 160),
        nn.ReLU(),
        nn.Linear(160, 10),
    )


def count(model):
    return sum(p.numel() for p in model.parameters())


print(f"MLP: {count(make_mlp())} параметров, ResNet: {count(TinyResNet())}")

# %% [markdown]
# ## Обучение
#
# Цикл один на обе сети: перемешать, взять пакет, посчитать потерю
#
# $$
# L = -\frac{1}{B} \sum_{b=1}^{B} \log p(y_b \mid x_b),
# $$
#
# сделать шаг. Здесь $B$ — число картинок в пакете, $y_b$ — верная цифра картинки $x_b$.
# После каждой эпохи меряем долю верных ответов на отложенных картинках — обязательно
# в режиме `eval()`: иначе BatchNorm считал бы средние по проверочным картинкам и запоминал их.


# %%
def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(dim=1) == y).float().mean().item()


def train(make_model, seed, n_epochs=12):
    torch.manual_seed(seed)
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    curve = []
    for _ in range(n_epochs):
        model.train()
        for batch in torch.randperm(len(train_x)).split(64):
            loss = F.cross_entropy(model(train_x[batch]), train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        curve.append(accuracy(model, test_x, test_y))
    return model, curve


# %% [markdown]
# Одно обучение — один бросок кости: начальные веса и порядок пакетов случайны. Поэтому каждую
# сеть учим трижды и смотрим на разброс.

# %%
# docs: near 0.05
# docs: quote mlp_accuracy resnet_accuracy
curves = {}
for name, make_model in {"MLP": make_mlp, "ResNet": TinyResNet}.items():
    runs = [train(make_model, seed) for seed in range(3)]
    curves[name] = torch.tensor([curve for _, curve in runs])
    last = curves[name][:, -1]
    spread = f"от {last.min():.1%} до {last.max():.1%}"
    print(f"{name:6s} {last.mean():.1%} ({spread})")
    model = runs[0][0]  # последней останется ResNet: её и рассмотрим
mlp_accuracy = curves["MLP"][:, -1].mean().item()
resnet_accuracy = curves["ResNet"][:, -1].mean().item()

# %%
# docs: near 0.05
# docs: alt Две кривые точности по эпохам с полосами разброса: ResNet после нескольких эпох идёт выше MLP
plt.figure(figsize=(5, 3))
for name, runs in curves.items():
    epochs = range(1, runs.shape[1] + 1)
    plt.plot(epochs, runs.mean(dim=0), label=name)
    plt.fill_between(epochs, runs.amin(dim=0), runs.amax(dim=0), alpha=0.2)
plt.xlabel("эпоха")
plt.ylabel("доля верных ответов")
plt.ylim(0.8, 1)
plt.legend()
plt.show()

# %% [markdown]
# ## Где сеть ошибается
#
# Доля верных ответов — одно число. Больше скажут сами ошибки ResNet: узнали бы эти цифры вы?

# %%
# docs: near 0.9
# docs: alt До пяти картинок, на которых сеть ошиблась, с верной цифрой и ответом сети над каждой
model.eval()
with torch.no_grad():
    answers = model(test_x).argmax(dim=1)
wrong = (answers != test_y).nonzero().flatten()[:5]
figure, axes = plt.subplots(1, 5, figsize=(5, 1.5))
for axis in axes:
    axis.axis("off")
for axis, i in zip(axes, wrong):
    axis.imshow(test_x[i, 0], cmap="Greys")
    axis.set_title(f"{test_y[i]} → {answers[i]}", fontsize=10)
plt.show()

# %% [markdown]
# ## Попробуйте сами
#
# 1. Уберите прямой путь: напишите блок без `+ shortcut(x)`. При трёх блоках разницы почти не
#    будет. Сделайте восемнадцать — и вернитесь к уроку о ResNet.
# 2. Оставьте для обучения 100 картинок. Насколько упала каждая из сетей?
# 3. Перемешайте точки всех картинок одной и той же случайной перестановкой. Какой сети это
#    безразлично и почему?

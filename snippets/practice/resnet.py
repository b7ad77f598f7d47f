# --8<-- [start:model]
# docs: quote resnet_params
import torch
from torch import nn
from torchvision.models import resnet18


def resnet18_for_32(n_classes=10, weights=None):
    """ResNet-18 для картинок 32×32: мягкое начало и своя голова."""
    model = resnet18(weights=weights)
    # Было: свёртка 7×7 с шагом 2 и пулинг; вместе они сжимали картинку вчетверо.
    model.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    model.fc = nn.Linear(model.fc.in_features, n_classes)
    return model


model = resnet18_for_32()
images = torch.randn(4, 3, 32, 32)
print("выход:", tuple(model(images).shape))
resnet_params = sum(p.numel() for p in model.parameters())
print("параметров:", resnet_params)
# --8<-- [end:model]


# --8<-- [start:data]
from sklearn.datasets import load_digits
from torch.nn.functional import interpolate

digits = load_digits()  # 1797 цифр 8×8, лежат внутри scikit-learn
images = (
    torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
)  # (B, 1, 8, 8)
images = interpolate(images, size=(32, 32), mode="bilinear")
images = images.expand(-1, 3, -1, -1)  # серую картинку — в три канала
labels = torch.tensor(digits.target)
print("картинки:", tuple(images.shape), "ответы:", tuple(labels.shape))
# --8<-- [end:data]


# --8<-- [start:overfit]
# docs: near 0.1
# docs: quote first_loss
torch.manual_seed(0)
model = resnet18_for_32().train()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
# Один и тот же пакет на каждом шаге.
batch, answers = images[:8], labels[:8]

losses = []
for _ in range(8):
    loss = nn.functional.cross_entropy(model(batch), answers)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

first_loss = losses[0]
print(f"функция потерь на первом шаге: {first_loss:.2f}")
print("на восьмом меньше 0,2:", losses[-1] < 0.2)
# --8<-- [end:overfit]

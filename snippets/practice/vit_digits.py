# --8<-- [start:models]
import torch
from sklearn.datasets import load_digits
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

digits = load_digits()
images = (
    torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
)  # (B, 1, 8, 8)
labels = torch.tensor(digits.target)
order = torch.randperm(
    len(labels), generator=torch.Generator().manual_seed(0)
)
images, labels = images[order], labels[order]
test_images, test_labels = images[1000:], labels[1000:]


def small_vit():
    config = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        num_labels=10,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
    )
    return ViTForImageClassification(config)


def small_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 96, 3, padding=1),
        nn.BatchNorm2d(96),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(96, 10),
    )


# --8<-- [end:models]


# --8<-- [start:compare]
# docs: near 0.15
# docs: quote vit_few cnn_few vit_many cnn_many
def logits(model, x):
    out = model(x)
    return out if torch.is_tensor(out) else out.logits


def test_accuracy(build, n_train, steps=200):
    torch.manual_seed(0)
    model = build().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(steps):
        picked = torch.randint(n_train, (64,))
        loss = nn.functional.cross_entropy(
            logits(model, images[picked]), labels[picked]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        guesses = logits(model.eval(), test_images).argmax(dim=1)
    return (guesses == test_labels).float().mean().item()


vit_few, cnn_few = (
    test_accuracy(small_vit, 100),
    test_accuracy(small_cnn, 100),
)
vit_many, cnn_many = (
    test_accuracy(small_vit, 1000),
    test_accuracy(small_cnn, 1000),
)
print(f"{'картинок':<10}{'ViT':>6}{'CNN':>7}")
print(f"{'100':<10}{vit_few:>6.1%}{cnn_few:>7.1%}")
print(f"{'1000':<10}{vit_many:>6.1%}{cnn_many:>7.1%}")
# --8<-- [end:compare]

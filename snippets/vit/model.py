# --8<-- [start:block]
from torch import nn

from modern_nets.attention import MultiHeadAttention
from modern_nets.layers import MLP


class EncoderBlock(nn.Module):
    """Блок энкодера: нормализация стоит перед слоем (pre-norm)."""

    def __init__(self, config):
        super().__init__()
        D, eps = config.d_model, config.layer_norm_eps
        self.norm_1 = nn.LayerNorm(D, eps)
        self.attention = MultiHeadAttention(D, config.n_heads)
        self.norm_2 = nn.LayerNorm(D, eps)
        self.mlp = MLP(D, config.d_mlp)  # D → 4D → D

    def forward(self, x):  # (B, T, D) → (B, T, D)
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))


# --8<-- [end:block]


# --8<-- [start:vit]
import torch


class VisionTransformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        D, P = config.d_model, config.patch_size
        n_patches = (config.image_size // P) ** 2
        self.patch_embedding = nn.Conv2d(config.n_channels, D, P, stride=P)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, D))
        positions = torch.randn(1, n_patches + 1, D) / 50
        self.position_embedding = nn.Parameter(positions)
        self.blocks = nn.ModuleList(
            EncoderBlock(config) for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(D, config.layer_norm_eps)
        self.head = nn.Linear(D, config.n_classes)

    def embed(self, images):  # (B, C, H, W) → (B, N + 1, D)
        patches = self.patch_embedding(images).flatten(2).mT  # (B, N, D)
        cls = self.cls_token.expand(len(images), -1, -1)
        tokens = torch.cat([cls, patches], dim=1)
        return tokens + self.position_embedding

    def forward(self, images):
        x = self.embed(images)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))  # решает только [CLS]


# --8<-- [end:vit]


# --8<-- [start:count]
# docs: quote n_patch_layer n_all
# docs: expect n_patch_layer == 590592 and n_all == 86567656
from modern_nets.vit import ViTConfig


def count(module):
    return sum(p.numel() for p in module.parameters())


with torch.device("meta"):  # формы есть, памяти под числа нет
    vit_b16 = VisionTransformer(ViTConfig())
    logits = vit_b16(torch.empty(1, 3, 224, 224))

parts = {name: count(part) for name, part in vit_b16.named_children()}
own = vit_b16.cls_token.numel() + vit_b16.position_embedding.numel()
parts |= {"[CLS], позиции": own, "всего": count(vit_b16)}
n_patch_layer, n_all = parts["patch_embedding"], parts["всего"]
for name, number in parts.items():
    print(f"{name:15}", f"{number:11,}".replace(",", " "))
print("логиты:", tuple(logits.shape))
# --8<-- [end:count]

# --8<-- [start:parity]
# docs: quote all_agree
# docs: expect all_agree
from tempfile import TemporaryDirectory

import transformers

from modern_nets.vit import ViT

config = transformers.ViTConfig(
    image_size=32,
    patch_size=8,
    hidden_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=256,
    num_labels=10,
)
theirs = transformers.ViTForImageClassification(config).eval().double()
torch.manual_seed(0)
for weight in theirs.parameters():
    nn.init.normal_(weight, std=0.25)  # у каждого веса — своё число

with TemporaryDirectory() as folder:
    theirs.save_pretrained(folder)
    ours = ViT.from_pretrained(folder)
by_hand = VisionTransformer(ours.config).double()
by_hand.load_state_dict(ours.state_dict())  # имена как в пакете

images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
with torch.no_grad():
    expected = theirs(images).logits
    answers = {"пакет": ours(images).logits, "страница": by_hand(images)}
all_agree = True
for name, logits in answers.items():
    agree = (logits - expected).abs().max().item() < 1e-9
    all_agree = all_agree and agree
    print(f"{name:8} и transformers, расхождение меньше 1e-9:", agree)
# --8<-- [end:parity]

# --8<-- [start:pieces]
import torch
from torch import nn
from modern_nets.attention import MultiHeadAttention


class MLP(nn.Module):
    """Каждый токен обрабатывается отдельно и одинаково: D → 4D → D."""

    def __init__(self, d_model):
        super().__init__()
        self.up = nn.Linear(d_model, 4 * d_model)
        self.down = nn.Linear(4 * d_model, d_model)

    def forward(self, x):
        return self.down(self.up(x).relu())  # (B, T, D)


class PostNormBlock(nn.Module):
    """Блок 2017 года: сложили, затем нормализовали."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm_1 = nn.LayerNorm(d_model)
        self.mlp = MLP(d_model)
        self.norm_2 = nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        x = self.norm_1(x + self.attention(x, mask=mask))
        return self.norm_2(x + self.mlp(x))


# --8<-- [end:pieces]


# --8<-- [start:pre]
class PreNormBlock(PostNormBlock):
    """Сегодняшний блок: части те же, прямой путь свободен от нормализации."""

    def forward(self, x, mask=None):
        x = x + self.attention(self.norm_1(x), mask=mask)
        return x + self.mlp(self.norm_2(x))


# --8<-- [end:pre]


# --8<-- [start:parity]
from modern_nets.transformer import Transformer, TransformerConfig

torch.manual_seed(0)
options = {"dropout": 0.0, "batch_first": True}
theirs = nn.Transformer(16, 4, 1, 1, 64, **options).double()
theirs.encoder.norm = theirs.decoder.norm = None  # в статье их нет
for p in theirs.parameters():
    nn.init.normal_(p)  # иначе γ = 1, β = 0 скроют перепутанные нормы

sizes = {"d_model": 16, "n_heads": 4, "n_layers": 1, "d_mlp": 64}
package = Transformer(TransformerConfig(**sizes, dropout=0.0)).double()
package.load_torch_layers(theirs)

x = torch.randn(2, 5, 16, dtype=torch.float64)
post, pre = PostNormBlock(16, 4).double(), PreNormBlock(16, 4).double()
for block, norm_first in [(post, False), (pre, True)]:
    block.load_state_dict(package.encoder[0].state_dict())
    layer = nn.TransformerEncoderLayer(
        16, 4, 64, norm_first=norm_first, **options
    ).double()
    layer.load_state_dict(theirs.encoder.layers[0].state_dict())
    same = torch.allclose(block(x), layer(x), rtol=1e-9, atol=1e-9)
    print(f"{type(block).__name__:13} совпал с PyTorch: {same}")
same = torch.equal(package.encoder[0](x), post(x))
print("EncoderBlock  совпал с PostNormBlock:", same)
# --8<-- [end:parity]


# --8<-- [start:parameters]
# docs: quote block_total mlp_share
block = PreNormBlock(768, n_heads=12)  # размеры BERT-base и GPT-2 small
block_total = sum(p.numel() for p in block.parameters())
for name, part in block.named_children():
    count = sum(p.numel() for p in part.parameters())
    print(f"{name:14} {count:9}  {count / block_total:.1%}")
mlp_share = sum(p.numel() for p in block.mlp.parameters()) / block_total
print(f"{'всего':14} {block_total:9}")
# --8<-- [end:parameters]


# --8<-- [start:gradients]
# docs: near 0.3
# docs: quote last_ratio
# docs: alt Норма градиента по номеру блока: у post-norm растёт к выходу, у pre-norm убывает к выходу
import matplotlib.pyplot as plt


def gradient_norms(Block, seed, depth=24):
    torch.manual_seed(seed)
    stack = nn.Sequential(*[Block(64, n_heads=4) for _ in range(depth)])
    for p in stack.parameters():
        if p.dim() == 2:
            nn.init.xavier_uniform_(p)
    is_pre = Block is PreNormBlock
    final_norm = nn.LayerNorm(64) if is_pre else nn.Identity()
    head = nn.Linear(64, 100)
    logits = head(final_norm(stack(torch.randn(8, 16, 64))))  # (B, T, 100)
    target = torch.randint(100, (8 * 16,))
    nn.functional.cross_entropy(logits.flatten(0, 1), target).backward()
    return torch.stack([b.mlp.up.weight.grad.norm() for b in stack])


post, pre = (
    torch.stack([gradient_norms(Block, seed) for seed in range(8)]).mean(0)
    for Block in (PostNormBlock, PreNormBlock)
)
last_ratio = (post[-1] / pre[-1]).item()
print(f"post-norm, последний блок: {post[-1]:.2f}")
print(f"pre-norm,  последний блок: {pre[-1]:.2f}")
fig, ax = plt.subplots(figsize=(5, 3))
ax.plot(range(1, 25), post, "o-", ms=4, label="post-norm")
ax.plot(range(1, 25), pre, "s-", ms=4, label="pre-norm")
ax.set(xlabel="номер блока", ylabel="норма градиента MLP", ylim=(0, None))
ax.legend()
plt.show()
# --8<-- [end:gradients]

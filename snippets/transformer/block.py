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


# --8<-- [start:sorting]
import matplotlib.pyplot as plt
from modern_nets.transformer import sinusoidal_positions

STEPS = 100


def sorter(Block, depth):
    """Стопка блоков, которая учится сортировать шесть цифр."""
    net = nn.ModuleDict()
    net["digits"] = nn.Embedding(10, 32)
    net["stack"] = nn.Sequential(
        *[Block(32, n_heads=2) for _ in range(depth)]
    )
    for p in net["stack"].parameters():
        if p.dim() == 2:
            nn.init.xavier_uniform_(p)
    is_pre = Block is PreNormBlock  # ему нужна нормализация в конце
    net["norm"] = nn.LayerNorm(32) if is_pre else nn.Identity()
    net["head"] = nn.Linear(32, 10)
    return net


def sorting_loss(net, generator, batch=32):
    x = torch.randint(10, (batch, 6), generator=generator)
    tokens = net["digits"](x) + sinusoidal_positions(6, 32)
    logits = net["head"](net["norm"](net["stack"](tokens)))  # (B, 6, 10)
    target = x.sort(1).values
    return nn.functional.cross_entropy(
        logits.flatten(0, 1), target.flatten()
    )


def learning_curve(Block, rate, seed, warm_up=0, depth=6):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = sorter(Block, depth)
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    losses = []
    for step in range(1, STEPS + 1):
        # Разогрев: скорость растёт от нуля до rate за первые warm_up шагов.
        growth = min(1.0, step / warm_up) if warm_up else 1.0
        optimizer.param_groups[0]["lr"] = rate * growth
        loss = sorting_loss(net, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses).view(-1, 10).mean(1)  # средние по 10 шагов


def experiment(ax, Block, rate, warm_up=0):
    """Три зерна: кривые на ax, лучшая и худшая потеря в конце."""
    name = "pre-norm" if Block is PreNormBlock else "post-norm"
    color = "C0" if Block is PreNormBlock else "C2" if warm_up else "C1"
    name += ", разогрев" if warm_up else ""
    runs = [learning_curve(Block, rate, seed, warm_up) for seed in range(3)]
    curves = torch.stack(runs)  # (3, STEPS / 10)
    steps = range(10, STEPS + 1, 10)
    ax.plot(steps, curves.median(0).values, color, label=name)
    low, high = curves.amin(0), curves.amax(0)
    ax.fill_between(steps, low, high, alpha=0.2, color=color)
    ax.set(xlabel="шаг обучения", ylim=(0, 2.5))
    ax.set_title(f"скорость {rate}".replace(".", ","))
    best, worst = low[-1].item(), high[-1].item()
    print(f"скорость {rate}, {name:19} {best:.2f}…{worst:.2f}")
    return best, worst


# --8<-- [end:sorting]


# --8<-- [start:curves]
# docs: near 0.6
# docs: quote post_low pre_low post_high pre_high warm_high
# docs: expect pre_low < 1 and post_low < 1.4
# docs: expect post_high > 1.7 and warm_high < 1.5 and pre_high < 0.8
# docs: alt Потеря по шагам обучения. Слева, при малой скорости, обе кривые падают. Справа, при большой, pre-norm и post-norm с разогревом падают, а post-norm без разогрева остаётся у двух
fig, (left, right) = plt.subplots(
    1, 2, figsize=(6, 3.4), sharey=True, layout="constrained"
)
_, pre_low = experiment(left, PreNormBlock, 1e-3)
_, post_low = experiment(left, PostNormBlock, 1e-3)
_, pre_high = experiment(right, PreNormBlock, 8e-3)
post_high, _ = experiment(right, PostNormBlock, 8e-3)
_, warm_high = experiment(right, PostNormBlock, 8e-3, warm_up=30)
left.set_ylabel("потеря")
labels = right.get_legend_handles_labels()
fig.legend(*labels, loc="outside upper center", ncols=3)
plt.show()
# --8<-- [end:curves]


# --8<-- [start:gradients]
# docs: near 0.3
# docs: quote ratio_6 ratio_24
# docs: expect ratio_6 > 1.6 and ratio_24 > 1.3 * ratio_6
def last_gradients(Block, depth):
    """Норма градиента MLP последнего блока до обучения, восемь зёрен."""
    norms = []
    for seed in range(8):
        torch.manual_seed(seed)
        net = sorter(Block, depth)
        sorting_loss(net, torch.Generator().manual_seed(seed)).backward()
        norms.append(net["stack"][-1].mlp.up.weight.grad.norm().item())
    name = "pre-norm" if Block is PreNormBlock else "post-norm"
    print(f"блоков {depth:2}, {name:9} {min(norms):.2f}…{max(norms):.2f}")
    return sum(norms) / len(norms)


ratio_6, ratio_24 = (
    last_gradients(PostNormBlock, depth)
    / last_gradients(PreNormBlock, depth)
    for depth in (6, 24)
)
# --8<-- [end:gradients]

# --8<-- [start:decoder]
import torch
from torch import nn
from modern_nets.attention import MultiHeadAttention, causal_mask


class DecoderBlock(nn.Module):
    """Свои прошлые токены → токены энкодера → MLP (pre-norm)."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.mlp = nn.Sequential(
            nn.Linear(d_model, 4 * d_model),
            nn.GELU(),
            nn.Linear(4 * d_model, d_model),
        )
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))

    def forward(self, x, memory):
        mask = causal_mask(x.shape[1])
        x = x + self.self_attention(self.norms[0](x), mask=mask)
        x = x + self.cross_attention(self.norms[1](x), memory)
        return x + self.mlp(self.norms[2](x))


# --8<-- [end:decoder]


# --8<-- [start:check]
def changed(before, after):
    return ((before - after).abs().amax(-1) > 1e-6)[0].int().tolist()


torch.manual_seed(0)
decoder = DecoderBlock(16, n_heads=4)
memory = torch.randn(1, 7, 16)  # выход энкодера: (B, S, D)
x = torch.randn(1, 5, 16)  # начало перевода: (B, T, D)
output = decoder(x, memory)
weights = []
decoder.cross_attention(x, memory, attentions=weights)
print("выход:", tuple(output.shape))
print("веса: ", tuple(weights[0].shape))

other_x, other_memory = x.clone(), memory.clone()
other_x[:, 3] = torch.randn(16)
other_memory[:, 6] = torch.randn(16)
new_x, new_memory = decoder(other_x, memory), decoder(x, other_memory)
print("4-й токен перевода: ", changed(output, new_x))
print("7-й токен исходника:", changed(output, new_memory))
# --8<-- [end:check]

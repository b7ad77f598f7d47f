# --8<-- [start:decoder]
import torch
from torch import nn
from modern_nets.attention import MultiHeadAttention
from modern_nets.layers import MLP


class DecoderBlock(nn.Module):
    """Своё прошлое → токены энкодера → MLP (post-norm, 2017 год)."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm_1 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm_2 = nn.LayerNorm(d_model)
        self.mlp = MLP(d_model, 4 * d_model, activation="relu")
        self.norm_3 = nn.LayerNorm(d_model)

    def forward(self, x, memory):
        x = self.norm_1(x + self.attention(x, is_causal=True))
        seen = self.cross_attention(x, memory)
        x = self.norm_2(x + seen)
        return self.norm_3(x + self.mlp(x))


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


# --8<-- [start:package]
from modern_nets.attention import causal_mask
from modern_nets.transformer import Transformer, TransformerConfig

torch.manual_seed(0)
theirs = nn.Transformer(
    16, 4, 2, 2, 64, dropout=0.0, batch_first=True
).double()
theirs.encoder.norm = theirs.decoder.norm = None
for p in theirs.parameters():
    nn.init.normal_(p)
sizes = {"d_model": 16, "n_heads": 4, "n_layers": 2, "d_mlp": 64}
ours = Transformer(TransformerConfig(**sizes, dropout=0.0)).double()
ours.load_torch_layers(theirs)

source = torch.randint(37_000, (3, 7))  # (B, S)
target = torch.randint(37_000, (3, 5))  # (B, T)
output = ours(source, target)
closed = ~causal_mask(5)  # у nn.Transformer True — смотреть нельзя
expected = theirs(ours.embed(source), ours.embed(target), tgt_mask=closed)
gap = (output.last_hidden_state - expected).abs().max().item()
print("логиты:", tuple(output.logits.shape))
print("различие с nn.Transformer меньше 1e-9:", gap < 1e-9)

memory = output.encoder_last_hidden_state
block = DecoderBlock(16, n_heads=4).double()
block.load_state_dict(ours.decoder[0].state_dict())
x = ours.embed(target)
same = torch.equal(block(x, memory), ours.decoder[0](x, memory))
print("DecoderBlock урока и пакета совпали:", same)
# --8<-- [end:package]


# --8<-- [start:sizes]
# docs: quote n_base n_big base_vocab big_vocab
from modern_nets.transformer import transformer_base, transformer_big


def size(build, paper, d_model):
    with torch.device("meta"):  # формы без чисел
        model = build()
    total = sum(p.numel() for p in model.parameters())
    table = model.embedding.weight.numel()
    print(f"всего {total:9}, из них таблица токенов {table:8}")
    # При каком словаре вышло бы число из статьи?
    return total / 1e6, (paper - total + table) / d_model / 1e3


n_base, base_vocab = size(transformer_base, 65e6, 512)
n_big, big_vocab = size(transformer_big, 213e6, 1024)
print(f"словарь под число статьи: {base_vocab:.1f} и {big_vocab:.1f} тыс.")
# --8<-- [end:sizes]


# --8<-- [start:marian]
from tempfile import TemporaryDirectory

import transformers

config = transformers.MarianConfig(
    vocab_size=1000,
    d_model=64,
    encoder_layers=2,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=256,
    decoder_ffn_dim=256,
    activation_function="swish",
    scale_embedding=True,
    pad_token_id=999,
    decoder_start_token_id=999,
    eos_token_id=0,
)
torch.manual_seed(0)
marian = transformers.MarianMTModel(config).eval()
with TemporaryDirectory() as folder:
    marian.save_pretrained(folder)
    translator = Transformer.from_pretrained(folder)

source, target = (
    torch.randint(1, 999, (3, 7)),
    torch.randint(1, 999, (3, 5)),
)
with torch.no_grad():
    ours = translator(source, target).logits
    expected = marian(input_ids=source, decoder_input_ids=target).logits
print("логиты:", tuple(ours.shape))
print("различие меньше 1e-5:", (ours - expected).abs().max().item() < 1e-5)

written = translator.translate(
    source,
    start_token=999,
    stop_token=0,
    max_new_tokens=6,
    forbidden_tokens=[999],
)
theirs = marian.generate(
    source,
    max_new_tokens=6,
    num_beams=1,
    do_sample=False,
    bad_words_ids=[[999]],
)
print(
    "первые пять токенов те же:", torch.equal(written[:, :6], theirs[:, :6])
)
# --8<-- [end:marian]

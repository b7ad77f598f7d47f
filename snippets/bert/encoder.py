# --8<-- [start:pair]
# docs: model токенизатор MiniLM
import torch
import torch.nn.functional as F
from transformers import BertModel, BertTokenizer

from modern_nets import at_hand

minilm = at_hand("minilm")
tokenizer = BertTokenizer.from_pretrained(minilm)
model = BertModel.from_pretrained(minilm)

pairs = tokenizer(
    ["where is the cat", "who sleeps"],
    ["it sleeps on the sofa", "the cat"],
    padding=True,
    return_tensors="pt",
)
for row in 0, 1:
    tokens = tokenizer.convert_ids_to_tokens(pairs.input_ids[row])
    print("tokens        ", *tokens)
    print("token_type_ids", *pairs.token_type_ids[row].tolist())
    print("attention_mask", *pairs.attention_mask[row].tolist())
# --8<-- [end:pair]


# --8<-- [start:sum]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.02
from safetensors.torch import load_file

weights = load_file(minilm / "model.safetensors")


def layer_norm(x, name):
    scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return F.layer_norm(x, x.shape[-1:], scale, shift, eps=1e-12)


def embed(input_ids, token_type_ids):  # (T,), (T,) → (T, 384)
    tokens = weights["embeddings.word_embeddings.weight"]
    places = weights["embeddings.position_embeddings.weight"]
    segments = weights["embeddings.token_type_embeddings.weight"]
    x = tokens[input_ids] + segments[token_type_ids]
    x = x + places[: len(input_ids)]
    return layer_norm(x, "embeddings.LayerNorm")


ids, types = pairs.input_ids[0], pairs.token_type_ids[0]
by_hand = embed(ids, types)
with torch.no_grad():
    by_library = model.embeddings(ids[None], types[None])[0]
print("форма:", tuple(by_hand.shape))
same = torch.allclose(by_hand, by_library, atol=1e-5)
print("совпадает с transformers:", same)
# --8<-- [end:sum]


# --8<-- [start:encoder]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
from modern_nets.attention import attention


def linear(x, name):
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def split_heads(x, n_heads=12):
    x = x.unflatten(-1, (n_heads, -1))  # (T, H, K)
    return x.transpose(0, 1)  # (H, T, K)


def bert(input_ids, token_type_ids, n_layers=6):
    x = embed(input_ids, token_type_ids)  # (T, D)
    for i in range(n_layers):
        layer = f"encoder.layer.{i}"
        q = split_heads(linear(x, f"{layer}.attention.self.query"))
        k = split_heads(linear(x, f"{layer}.attention.self.key"))
        v = split_heads(linear(x, f"{layer}.attention.self.value"))
        heads, _ = attention(q, k, v)  # маски нет: каждый токен видит всех
        joined = heads.transpose(0, 1).flatten(1)  # (H, T, K) → (T, D)
        found = linear(joined, f"{layer}.attention.output.dense")
        x = layer_norm(x + found, f"{layer}.attention.output.LayerNorm")
        wide = F.gelu(linear(x, f"{layer}.intermediate.dense"))  # (T, 4D)
        thought = linear(wide, f"{layer}.output.dense")
        x = layer_norm(x + thought, f"{layer}.output.LayerNorm")
    return x


with torch.no_grad():
    outputs = model(ids[None], token_type_ids=types[None])
by_library = outputs.last_hidden_state[0]
by_hand = bert(ids, types)
print("форма:", tuple(by_hand.shape))
same = torch.allclose(by_hand, by_library, atol=1e-4)
print("совпадает с transformers:", same)
# --8<-- [end:encoder]


# --8<-- [start:package]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
from modern_nets.bert import Bert

ours = Bert.from_pretrained(minilm)
with torch.no_grad():
    here = ours(**pairs)  # обе пары разом, с заполнителями
    there = model(**pairs)
for name in "last_hidden_state", "pooler_output":
    gap = (getattr(here, name) - getattr(there, name)).abs().max().item()
    shape = tuple(getattr(here, name).shape)
    print(f"{name:17s} {shape}: наибольшее различие {gap:.5f}")
single = ours(ids[None], token_type_ids=types[None])
gap = (single.last_hidden_state[0] - by_hand).abs().max().item()
print(f"с двадцатью строками выше: {gap:.5f}")
# --8<-- [end:package]


# --8<-- [start:sizes]
# docs: quote n_total token_share
from transformers import BertConfig

with torch.device("meta"):  # только формы: ни памяти, ни весов
    base = BertModel(BertConfig())  # настройки по умолчанию — это bert-base


def count(module):
    return sum(p.numel() for p in module.parameters())


n_total = count(base)
n_tokens = count(base.embeddings.word_embeddings)  # 30 522 × 768
parts = {
    "таблица токенов": n_tokens,
    "места и сегменты": count(base.embeddings) - n_tokens,
    "12 слоёв": count(base.encoder),
    "pooler над [CLS]": count(base.pooler),
    "всего": n_total,
}
token_share = n_tokens / n_total
for name, n in parts.items():
    print(f"{name:17s}{n:12,d} {n / n_total:6.1%}".replace(",", " "))
# --8<-- [end:sizes]

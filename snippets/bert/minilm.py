# --8<-- [start:pieces]
# docs: model словарь MiniLM — тот же, что у bert-base-uncased
import torch
import torch.nn.functional as F
from transformers import BertModel, BertTokenizer

from modern_nets import at_hand

minilm = at_hand("minilm")
tokenizer = BertTokenizer.from_pretrained(minilm)
model = BertModel.from_pretrained(minilm)

print("токенов в словаре:", len(tokenizer))
words = ["playing", "tokenization", "electroencephalography"]
for word in words:
    print(word, "→", *tokenizer.tokenize(word))
# --8<-- [end:pieces]


# --8<-- [start:greedy]
vocabulary = tokenizer.get_vocab()


def wordpiece(word):
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""  # ## — «продолжение слова»
        # Сначала самый длинный кусок.
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in vocabulary:
                break
        else:
            return ["[UNK]"]  # не подошла даже одна буква
        pieces.append(prefix + word[start:end])
        start = end
    return pieces


for word in [*words, "слово"]:
    print(word, wordpiece(word) == tokenizer.tokenize(word))
# --8<-- [end:greedy]


# --8<-- [start:russian]
# docs: model словарь MiniLM — тот же, что у bert-base-uncased
# docs: quote ru_tokens en_tokens
for text in "чай", "мой ёж", "Привет, мир!", "нейронная сеть", "җыр":
    print(text, "→", *tokenizer.tokenize(text))

russian = "Нейронная сеть читает предложение в обе стороны."
english = "The neural network reads the sentence in both directions."
ru_tokens = len(tokenizer.tokenize(russian))
en_tokens = len(tokenizer.tokenize(english))
print(f"\nтокенов: по-русски {ru_tokens}, по-английски {en_tokens}")
same_ids = tokenizer.encode("май") == tokenizer.encode("маи")
print("«май» и «маи» неразличимы:", same_ids)
# --8<-- [end:russian]


# --8<-- [start:pair]
# docs: model токенизатор MiniLM
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


# --8<-- [start:bank]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.05
# docs: quote same_sense other_sense
sentences = [
    "We sat on the bank of the river.",  # берег
    "The boat drifted to the muddy bank.",
    "Fishermen stood along the bank.",
    "She opened an account at the bank.",  # банк
    "The bank raised its interest rates.",
    "He took a loan from the bank.",
]
batch = tokenizer(sentences, padding=True, return_tensors="pt")
with torch.no_grad():
    outputs = model(**batch, output_hidden_states=True)
is_bank = batch.input_ids == vocabulary["bank"]  # по одному bank в строке

sense = torch.tensor([0, 0, 0, 1, 1, 1])
same = (sense[:, None] == sense) & ~torch.eye(6, dtype=torch.bool)
other = sense[:, None] != sense
for n_layer in 0, 2, 4, 6:
    bank = outputs.hidden_states[n_layer][is_bank]  # (6, 384)
    bank = F.normalize(bank, dim=-1)
    similarity = bank @ bank.T
    same_sense = similarity[same].mean().item()
    other_sense = similarity[other].mean().item()
    print(f"слой {n_layer}: тот же смысл {same_sense:.2f},", end=" ")
    print(f"другой {other_sense:.2f}")
# --8<-- [end:bank]


# --8<-- [start:bank_map]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: alt Матрица косинусной близости шести векторов слова bank на выходе последнего слоя. Два тёмных квадрата на диагонали: три вектора «берега» близки между собой, три вектора «банка» — между собой; клетки между смыслами светлее.
import matplotlib.pyplot as plt

labels = ["берег 1", "берег 2", "берег 3", "банк 1", "банк 2", "банк 3"]
plt.figure(figsize=(5, 4.2))
plt.imshow(similarity, cmap="Blues", vmin=0.6, vmax=1)
for i in range(6):
    for j in range(6):
        value = similarity[i, j].item()
        color = "#ffffff" if value > 0.82 else "#111111"
        label = f"{value:.2f}".replace(".", ",")
        plt.text(j, i, label, ha="center", va="center", color=color)
plt.xticks(range(6), labels, rotation=45, ha="right")
plt.yticks(range(6), labels)
plt.tight_layout()
plt.show()
# --8<-- [end:bank_map]


# --8<-- [start:padding]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.05
# docs: quote without_mask
text = "Fishermen stood along the bank."
alone = tokenizer(text, return_tensors="pt")
fill = {"padding": "max_length", "max_length": 24}
padded = tokenizer(text, **fill, return_tensors="pt")
n_real = alone.input_ids.shape[1]
with torch.no_grad():
    truth = model(**alone).last_hidden_state
    masked = model(**padded).last_hidden_state[:, :n_real]
    forgot = model(padded.input_ids).last_hidden_state[:, :n_real]

without_mask = (forgot - truth).abs().max().item()
print(f"токенов {n_real}, с заполнителями — {padded.input_ids.shape[1]}")
print("с маской тот же ответ:", torch.allclose(masked, truth, atol=1e-4))
print(f"без маски ответ сдвинулся на {without_mask:.2f}")
# --8<-- [end:padding]


# --8<-- [start:pooling]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.05
# docs: quote cls_close cls_far mean_close mean_far
retellings = {
    "I forgot my password.": "My login does not work.",
    "The cat sleeps on the sofa.": "A kitten naps on the couch.",
    "Stocks fell on Monday.": "Share prices dropped.",
    "He cooks dinner every evening.": "Each night he prepares a meal.",
    "The train was two hours late.": "Our railway trip was delayed.",
}


def encode_sentences(texts):
    batch = tokenizer(list(texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state  # (B, T, D)
    real = batch.attention_mask[..., None]  # (B, T, 1)
    mean = (hidden * real).sum(1) / real.sum(1)  # заполнители не в счёт
    return hidden[:, 0], mean


def close_and_far(a, b):
    similarity = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
    pairs = torch.eye(len(a), dtype=torch.bool)
    return similarity[pairs].mean().item(), similarity[~pairs].mean().item()


cls_a, mean_a = encode_sentences(retellings)
cls_b, mean_b = encode_sentences(retellings.values())
cls_close, cls_far = close_and_far(cls_a, cls_b)
mean_close, mean_far = close_and_far(mean_a, mean_b)
print(f"[CLS]:    пересказ {cls_close:.2f}, чужое {cls_far:.2f}")
print(f"среднее:  пересказ {mean_close:.2f}, чужое {mean_far:.2f}")
# --8<-- [end:pooling]


# --8<-- [start:too_long]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
long_text = "word " * 598  # и ещё [CLS] с [SEP]: 600 токенов
inputs = tokenizer(long_text, return_tensors="pt")
try:
    model(**inputs)
except (RuntimeError, IndexError) as error:
    print(f"{type(error).__name__}: {error}\n")

limit = {"truncation": True, "max_length": 512}
cut = tokenizer(long_text, **limit, return_tensors="pt")
with torch.no_grad():
    print("обрезка:", tuple(model(**cut).last_hidden_state.shape))

windows = tokenizer(
    long_text, **limit, stride=128, return_overflowing_tokens=True
)
lengths = [len(window) for window in windows.input_ids]
print("окна с перехлёстом 128:", lengths)
# --8<-- [end:too_long]


# --8<-- [start:train_mode]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.3
inputs = tokenizer("Hello world!", return_tensors="pt")


def gap_between_two_calls():
    with torch.no_grad():
        first = model(**inputs).last_hidden_state
        second = model(**inputs).last_hidden_state
    return (first - second).abs().max().item()


torch.manual_seed(0)
model.train()  # так модель остаётся после цикла обучения
print(f"train(): два вызова разошлись на {gap_between_two_calls():.2f}")
model.eval()
print(f"eval():  два вызова разошлись на {gap_between_two_calls():.0f}")
outputs = model(**inputs)
print("граф для градиентов:", outputs.last_hidden_state.requires_grad)
# --8<-- [end:train_mode]

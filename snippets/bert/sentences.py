# --8<-- [start:padding]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.05
# docs: quote without_mask usual
# docs: expect without_mask > usual
import torch
import torch.nn.functional as F
from transformers import BertModel, BertTokenizer

from modern_nets import at_hand

minilm = at_hand("minilm")
tokenizer = BertTokenizer.from_pretrained(minilm)
model = BertModel.from_pretrained(minilm)

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
usual = truth.abs().mean().item()
print("с маской тот же ответ:", torch.allclose(masked, truth, atol=1e-4))
print(f"без маски наибольший сдвиг {without_mask:.2f}")
print(f"сами числа по модулю в среднем {usual:.2f}")
# --8<-- [end:padding]


# --8<-- [start:pooling]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.05
# docs: quote cls_close cls_far mean_close mean_far
# docs: expect mean_close - mean_far > 1.5 * (cls_close - cls_far)
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

# --8<-- [start:pieces]
# docs: model словарь MiniLM — тот же, что у bert-base-uncased
from transformers import BertTokenizer

from modern_nets import at_hand

tokenizer = BertTokenizer.from_pretrained(at_hand("minilm"))
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

# --8<-- [start:reviews]
good = """the film is warm, funny and beautifully shot
wonderful acting and a clever story
i loved every minute of this movie
the best comedy i have seen this year
a touching film with a great cast
brilliant music and superb direction
we laughed and cried, a real pleasure
the ending is perfect and moving
an exciting movie, i would gladly watch it again
charming characters and sharp dialogue""".splitlines()
bad = """the film is slow, dull and badly shot
awful acting and a stupid story
i hated every minute of this movie
the worst comedy i have seen this year
a boring film with a weak cast
terrible music and clumsy direction
we yawned and left, a waste of an evening
the ending is absurd and annoying
a tedious movie, i will never watch it again
wooden characters and silly dialogue""".splitlines()
texts, labels = good + bad, [1] * len(good) + [0] * len(bad)
print("обучающих отзывов:", len(texts), "— из них хвалебных:", sum(labels))
# --8<-- [end:reviews]


# --8<-- [start:features]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
import torch
from transformers import AutoModel, AutoTokenizer

from modern_nets import at_hand

folder = at_hand("minilm")
tokenizer = AutoTokenizer.from_pretrained(folder)
encoder = AutoModel.from_pretrained(folder)  # сразу в режиме eval


@torch.no_grad()  # применяем, а не учим: граф производных не нужен
def sentence_vectors(texts):
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    hidden = encoder(**inputs).last_hidden_state  # (B, T, 384)
    mask = inputs["attention_mask"][
        ..., None
    ]  # заполнители в среднее не входят
    return (
        (hidden * mask).sum(dim=1) / mask.sum(dim=1)
    ).numpy()  # (B, 384)


vectors = sentence_vectors(texts)
print("признаки:", vectors.shape)
# --8<-- [end:features]


# --8<-- [start:compare]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: quote bert_right words_right n_new
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

new = """a delightful surprise for the whole family
the hero is likable and the effects are stunning
i smiled all the way home
a masterpiece, go and see it
fresh, honest and full of life
gripping from start to finish
the plot makes no sense and the jokes are not funny
a dreadful script, avoid it
i fell asleep after twenty minutes
flat, lifeless and far too long
the hero is irritating and the effects look cheap
a disaster from start to finish""".splitlines()
answers, n_new = [1] * 6 + [0] * 6, len(new)

by_words = make_pipeline(CountVectorizer(), LogisticRegression()).fit(
    texts, labels
)
by_bert = LogisticRegression().fit(vectors, labels)
words_right = round(by_words.score(new, answers) * n_new)
bert_right = round(by_bert.score(sentence_vectors(new), answers) * n_new)
print(f"мешок слов:      {words_right} из {n_new}")
print(f"признаки MiniLM: {bert_right} из {n_new}")
# --8<-- [end:compare]


# --8<-- [start:mistakes]
# docs: near 0.2
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
tricky = [
    "not bad at all",
    "great, another two hours of my life gone",
    "i expected to hate it and i did not",
    "it lasts two hours",
]
for text, p in zip(tricky, by_bert.predict_proba(sentence_vectors(tricky))):
    print(f"{p[1]:.2f}  {text}")
# --8<-- [end:mistakes]

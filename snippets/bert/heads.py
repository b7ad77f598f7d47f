# --8<-- [start:sizes]
# docs: quote head_share
import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

with torch.device("meta"):
    nets = {
        "тональность": BertForSequenceClassification(BertConfig()),
        "NER": BertForTokenClassification(BertConfig(num_labels=9)),
        "ответ в тексте": BertForQuestionAnswering(BertConfig()),
    }


def count(module):
    return sum(p.numel() for p in module.parameters())


for name, net in nets.items():
    head = net.qa_outputs if hasattr(net, "qa_outputs") else net.classifier
    shape = f"{head.in_features} → {head.out_features}"
    print(f"{name:15s}{shape}, параметров {count(head)}")
    head_share = count(head) / count(net)
print(f"доля головы в последней модели: {head_share:.4%}")
# --8<-- [end:sizes]

# --8<-- [start:phrases]
phrases = {
    "спорт": """
The striker scored twice in the final. | Нападающий дважды забил в финале.
Our team lost after extra time.        | Мы уступили в овертайме.
She broke the long jump record.        | Она побила рекорд по прыжкам.
The referee showed him a red card.     | Судья показал ему красную карточку.
He trains at the pool every morning.   | По утрам он тренируется в бассейне.
The coach changed the goalkeeper.      | Тренер заменил вратаря.
They won the cup for the third time.   | Они выиграли кубок в третий раз.
The marathon starts at nine.           | Марафон стартует в девять.
The boxer defended his title.          | Боксёр защитил титул.
Her serve was too fast to return.      | Её подачу было не отбить.""",
    "еда": """
Add a pinch of salt to the soup.       | Добавьте в суп щепотку соли.
The bread is still warm.               | Хлеб ещё тёплый.
He fried two eggs for breakfast.       | На завтрак он пожарил два яйца.
This cheese goes well with pears.      | Этот сыр хорош с грушами.
Peel the potatoes and cut in half.     | Почистите картофель и разрежьте.
The waiter brought us the menu.        | Официант принёс меню.
I prefer green tea without sugar.      | Я люблю зелёный чай без сахара.
The cake needs forty minutes to bake.  | Пирогу печься сорок минут.
She poured honey over the pancakes.    | Она полила блины мёдом.
We were hungry and ordered pizza.      | Мы проголодались и взяли пиццу.""",
    "погода": """
It has been raining since yesterday.   | Дождь идёт со вчерашнего дня.
A cold wind is blowing from the north. | С севера дует холодный ветер.
The sky cleared by noon.               | К полудню небо прояснилось.
Snow covered the city overnight.       | За ночь город занесло снегом.
Tomorrow will be hot and dry.          | Завтра будет жарко и сухо.
The storm tore down several trees.     | Буря повалила несколько деревьев.
Thick fog hides the road.              | Густой туман скрывает дорогу.
We heard thunder far away.             | Вдалеке гремел гром.
The temperature fell below zero.       | Похолодало ниже нуля.
The sun came out after the shower.     | После ливня вышло солнце.""",
    "деньги": """
The bank refused to give us a loan.    | Банк отказал нам в кредите.
Prices went up again this year.        | Цены в этом году снова выросли.
He pays his rent by card.              | Он платит за жильё картой.
The company doubled its profit.        | Компания удвоила прибыль.
She saves a tenth of her salary.       | Она откладывает десятую часть.
The shop offers a discount today.      | Сегодня в магазине скидка.
Investors are selling their shares.    | Инвесторы распродают акции.
Taxes are due at the end of the month. | Налоги платят к концу месяца.
I changed dollars at the airport.      | Я обменял доллары в аэропорту.
The new law limits interest rates.     | Закон ограничил ставки.""",
}
lines = "".join(phrases.values()).strip().splitlines()
english = [line.split("|")[0].strip() for line in lines]
print(f"тем {len(phrases)}, фраз {len(english)}")
# --8<-- [end:phrases]

# --8<-- [start:features]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
from transformers import BertModel, BertTokenizer

from modern_nets import at_hand

minilm = at_hand("minilm")
tokenizer = BertTokenizer.from_pretrained(minilm)
model = BertModel.from_pretrained(minilm)

batch = tokenizer(english, padding=True, return_tensors="pt")
real = batch.attention_mask[..., None]  # (40, T, 1)
with torch.no_grad():
    static = model.embeddings.word_embeddings(batch.input_ids)
    contextual = model(**batch).last_hidden_state
bag = torch.zeros(40, len(tokenizer)).scatter(1, batch.input_ids, 1.0)
used = bag[:, 1000:].sum(0) > 0  # встретившиеся слова

features = {
    "BERT, среднее по токенам": (contextual * real).sum(1) / real.sum(1),
    "BERT, сырой [CLS]": contextual[:, 0],
    "таблица эмбеддингов": (static * real).sum(1) / real.sum(1),
    "мешок слов": bag[:, 1000:][:, used],
}
for name, x in features.items():
    print(f"{name:26s}{tuple(x.shape)}")
# --8<-- [end:features]

# --8<-- [start:curve]
# docs: near 0.1
# docs: quote bert_one bag_one bert_nine bag_nine
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

topic = np.arange(4).repeat(10)  # 0000000000 1111111111 …


def accuracy(x, n_labelled, n_splits=20):
    """Доля верных, если известно n_labelled фраз каждой темы."""
    rng = np.random.default_rng(0)  # всем признакам — одни разбиения
    x, scores = normalize(x.numpy()), []
    for _ in range(n_splits):
        order = rng.permuted(np.arange(40).reshape(4, 10), axis=1)
        known = order[:, :n_labelled].ravel()  # поровну из каждой темы
        asked = order[:, n_labelled:].ravel()
        head = LogisticRegression(C=10, max_iter=500)
        head.fit(x[known], topic[known])
        scores.append(head.score(x[asked], topic[asked]))
    return float(np.mean(scores))


n_labelled = [1, 2, 4, 9]
curves = {
    name: [accuracy(x, n) for n in n_labelled]
    for name, x in features.items()
}
bert_one, *_, bert_nine = curves["BERT, среднее по токенам"]
bag_one, *_, bag_nine = curves["мешок слов"]
print("фраз на тему:             ", *(f"{n:5d}" for n in n_labelled))
for name, values in curves.items():
    print(f"{name:26s}", *(f"{value:5.0%}" for value in values))
# --8<-- [end:curve]

# --8<-- [start:curve_plot]
# docs: alt Доля верно угаданных тем в зависимости от числа размеченных фраз на тему: 1, 2, 4 и 9. Линия с признаками BERT начинается высоко и выходит почти на 100 %, сырой [CLS] идёт чуть ниже, таблица эмбеддингов поднимается примерно от половины до 85 %, мешок слов лежит ниже уровня случайных 25 % и не растёт.
import matplotlib.pyplot as plt

plt.figure(figsize=(5, 3.4))
for name, values in curves.items():
    plt.plot(n_labelled, [100 * v for v in values], "o-", label=name)
plt.axhline(25, color="gray", linestyle=":", label="наугад")
plt.xlabel("размеченных фраз на тему")
plt.ylabel("верных ответов, %")
plt.ylim(0, 105)
plt.legend(fontsize=8)
plt.show()
# --8<-- [end:curve_plot]

# --8<-- [start:classifier]
# docs: model MiniLM (all-MiniLM-L6-v2), настоящие обученные веса
# docs: near 0.05
import math

from modern_nets.bert import BertForSequenceClassification

net = BertForSequenceClassification.from_pretrained(minilm, n_classes=4)
answers = torch.from_numpy(topic)  # номера тем, (40,)
output = net(**batch, labels=answers)
print("логиты:", tuple(output.logits.shape))
print(f"потеря новой головы {output.loss.item():.2f}", end=", ")
print(f"ln 4 = {math.log(4):.2f}")

print(f"дообучение меняет параметров: {count(net):,}".replace(",", " "))
net.bert.requires_grad_(False)  # заморозить тело, учить только голову
n_head = sum(p.numel() for p in net.parameters() if p.requires_grad)
print(f"над замороженным телом: {n_head:,}".replace(",", " "))
# --8<-- [end:classifier]

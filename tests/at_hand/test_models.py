"""Сами модели под рукой: их читают обе библиотеки, файлы целы, обещанное качество на месте."""

import json
import math

import pytest
import torch
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertForMaskedLM,
    BertTokenizer,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    ViTForImageClassification,
    ViTImageProcessor,
)

from modern_nets import ask, at_hand, embedded
from modern_nets.bert import BertForMaskedLM as OurBert
from modern_nets.gpt2 import GPT2
from modern_nets.pictures import pixel_values
from modern_nets.training import card, code, digits, letters, names, russian
from modern_nets.training.recipes import RECIPES
from modern_nets.vit import ViT

TRAINED = sorted(RECIPES)


def quality(name: str) -> dict:
    return json.loads((at_hand(name) / "quality.json").read_text(encoding="utf-8"))


def test_every_recipe_has_its_model_and_card() -> None:
    assert embedded.names() == [*TRAINED, "minilm"]
    assert embedded.trained() == TRAINED
    assert sorted(card.ABOUT) == TRAINED


def test_all_together_at_most_16_megabytes() -> None:
    assert sum(path.stat().st_size for path in embedded.FOLDER.rglob("*")) <= 16e6


@pytest.mark.parametrize("name", TRAINED)
def test_card_is_that_of_the_files(name: str) -> None:
    folder = at_hand(name)
    assert (folder / "README.md").read_text(encoding="utf-8") == card.card(name, folder, RECIPES[name].plan)


def test_bert_is_the_same_in_both_libraries() -> None:
    folder = at_hand("tiny-bert-ru")
    tokenizer = BertTokenizer.from_pretrained(folder)
    inputs = tokenizer(["мол[MASK]ко", "[MASK]ж", "объезд"], padding=True, return_tensors="pt")
    theirs, ours = BertForMaskedLM.from_pretrained(folder), OurBert.from_pretrained(folder)
    with torch.no_grad():
        expected, logits = theirs(**inputs).logits, ours(**inputs).logits
    assert expected.dtype == torch.float32
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "text"),
    [("tiny-gpt-ru", "фамилия:Шир"), ("tiny-gpt-py", "def f(x):\n    return"), ("tiny-left-ru", "кош")],
)
def test_gpt_is_the_same_in_both_libraries(name: str, text: str) -> None:
    folder = at_hand(name)
    ids = torch.tensor([Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids])
    theirs, ours = GPT2LMHeadModel.from_pretrained(folder), GPT2.from_pretrained(folder)
    with torch.no_grad():
        expected, logits = theirs(ids).logits, ours(ids).logits
    assert expected.dtype == torch.float32
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["tiny-gpt-ru", "tiny-gpt-py"])
@pytest.mark.parametrize("text", ["фамилия:Ёжиков", "def f(x):\n\treturn 'ё🐈'", "", " \n"])
def test_gpt_tokenizers_agree_and_lose_nothing(name: str, text: str) -> None:
    folder = at_hand(name)
    slim = Tokenizer.from_file(str(folder / "tokenizer.json"))
    taught = GPT2Tokenizer.from_pretrained(folder)
    assert taught(text).input_ids == slim.encode(text).ids
    assert slim.decode(slim.encode(text).ids, skip_special_tokens=False) == text
    assert taught.decode(taught(text).input_ids, clean_up_tokenization_spaces=False) == text


def test_auto_classes_read_the_folder() -> None:
    folder = at_hand("tiny-gpt-py")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer("import ", return_tensors="pt")
    answer = model.generate(**inputs, max_new_tokens=3, do_sample=False, pad_token_id=0)
    assert tokenizer.decode(answer[0]).startswith("import ")


def test_vit_is_the_same_in_both_libraries() -> None:
    from PIL import Image

    folder = at_hand("tiny-vit")
    image = Image.fromarray(((digits.load_digits().x_test[0, 0] + 1) * 127.5).byte().numpy())
    theirs = ViTImageProcessor.from_pretrained(folder)(images=image, return_tensors="pt")["pixel_values"]
    pixels = pixel_values(image, folder)
    torch.testing.assert_close(pixels, theirs)
    reference, ours = ViTForImageClassification.from_pretrained(folder), ViT.from_pretrained(folder)
    with torch.no_grad():
        torch.testing.assert_close(ours(pixels).logits, reference(pixels).logits, atol=1e-4, rtol=1e-4)
    assert reference.config.id2label[9] == "9"


def test_letters_guessed_from_both_sides_beat_the_left_one() -> None:
    """Свежий счёт на отложенных существительных на «к»; допуск — потому что буква не средняя."""
    _, nouns = russian.words_and_nouns(ask.LONGEST_WORD, "к")
    nouns = [word for word in nouns if russian.is_held_out(word)][::3]
    device = torch.device("cpu")
    both = letters.guessed_from_both_sides(nouns, at_hand("tiny-bert-ru"), device)
    left = letters.guessed_from_the_left(nouns, at_hand("tiny-left-ru"), device)
    n_letters = sum(map(len, nouns))
    recorded = quality("tiny-bert-ru")["all_letters"]
    assert n_letters > 400
    assert int(both.sum()) / n_letters == pytest.approx(recorded["both"]["value"], abs=0.1)
    assert int(left.sum()) / n_letters == pytest.approx(recorded["left"]["value"], abs=0.1)
    assert int(both.sum()) > 1.2 * int(left.sum())


def test_recorded_letters_are_above_the_pilot() -> None:
    one = quality("tiny-bert-ru")["one_letter"]
    assert one["both"]["low"] > 0.42, "пилот с 0,46 млн параметров угадывал 42 %"
    assert one["both"]["low"] > one["left"]["high"]


def test_names_cost_less_than_five_grams() -> None:
    recorded = quality("tiny-gpt-ru")
    assert recorded["saved_bits_per_letter"]["low"] > 0
    held_out = names.select(russian.names("ма"), "проверка")
    folder = at_hand("tiny-gpt-ru")
    rows = names.encode(Tokenizer.from_file(str(folder / "tokenizer.json")), held_out)
    bits = names.name_bits(GPT2.from_pretrained(folder), rows, torch.device("cpu"))
    n_letters = (rows[:, 1:] >= 0).sum()
    assert len(held_out) > 20
    assert float(bits.sum() / n_letters) == pytest.approx(recorded["bits_per_letter"]["value"], abs=0.4)


def test_invented_names_are_mostly_new() -> None:
    for kind, row in quality("tiny-gpt-ru")["invented"].items():
        assert row["copied"]["high"] < 0.5, kind
        assert row["different"] > 800, kind


def test_code_costs_less_than_the_archiver() -> None:
    recorded = quality("tiny-gpt-py")
    assert recorded["bits_per_byte"]["high"] < recorded["xz_bits_per_byte"]
    assert recorded["bits_per_byte"]["high"] < recorded["five_gram_bits_per_byte"]["low"]
    _, held_out = code.split()
    texts = [held_out[path] for path in ("trace.py", "bz2.py")]
    folder = at_hand("tiny-gpt-py")
    tokenizer, model = Tokenizer.from_file(str(folder / "tokenizer.json")), GPT2.from_pretrained(folder)
    bits = sum(float(code.text_bits(model, code.encode(tokenizer, [text]), torch.device("cpu"))) for text in texts)
    n_bytes = sum(len(text.encode()) for text in texts)
    assert bits < 8 * code.xz("".join(texts).encode())
    assert bits / n_bytes == pytest.approx(recorded["bits_per_byte"]["value"], abs=0.25)


def test_bits_of_a_text_are_those_of_its_tokens() -> None:
    """На тексте короче окна — сумма −log2 p по всем токенам после начального."""
    folder = at_hand("tiny-gpt-py")
    tokenizer, model = Tokenizer.from_file(str(folder / "tokenizer.json")), GPT2.from_pretrained(folder)
    ids = code.encode(tokenizer, ["import os\nimport sys\n"])
    with torch.no_grad():
        loss = model(ids[None], labels=ids[None]).loss
    bits = code.text_bits(model, ids, torch.device("cpu"))
    assert float(bits) == pytest.approx(float(loss) * (len(ids) - 1) / math.log(2), rel=1e-4)


@pytest.mark.parametrize("name", sorted(digits.PLANS))
def test_digits_are_recognized_as_recorded(name: str) -> None:
    data = digits.load_digits()
    if name in digits.FIVE:
        data = data.only(digits.KNOWN_DIGITS)
    model = type(digits.make(digits.FIVE.get(name, name), 0)).from_pretrained(at_hand(name))
    recorded = quality(name)["accuracy"]
    right = digits.n_right(model, data.x_test, data.y_test) / len(data.y_test)
    assert right == pytest.approx(recorded["value"], abs=0.004)
    assert right >= 0.97


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-resnet"])
def test_five_seeds_reach_97_percent_on_average(name: str) -> None:
    runs = quality(name)["five_seeds"]
    assert len(runs["runs"]) == 5
    assert runs["value"] >= 0.97


def test_equal_sizes() -> None:
    sizes = [quality(name)["parameters"] for name in ("tiny-vit", "tiny-resnet", "tiny-mlp")]
    assert max(sizes) < 1.2 * min(sizes)


def test_transfer_helps_most_when_examples_are_few() -> None:
    table = quality("tiny-resnet-five")["transfer"]
    gains = {shots: row["gain"] for shots, row in table.items()}
    assert list(gains) == ["1", "5", "10", "50"]
    assert gains["1"]["low"] > 0, "помогло не на каждом из пяти наборов"
    assert gains["1"]["value"] > 3 * abs(gains["50"]["value"])

"""Деление данных, порядок эпох и искажения: свойства, на которых держится остальное."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from modern_nets import at_hand
from modern_nets.finetune.data import Epochs, Split, stratified
from modern_nets.finetune.models import read_tokenizer
from modern_nets.finetune.pictures import Pictures, distort
from modern_nets.finetune.tasks import NextTokenTask, PictureTask
from modern_nets.finetune.texts import token_tape
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.training.processes import accelerator_for
from modern_nets.training.shelf import END

TOKENIZER = read_tokenizer(at_hand("tiny-gpt-py"))


@given(st.lists(st.text("a \n\t_.é0'", max_size=60), min_size=1, max_size=3), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_long_text_is_cut_where_no_token_crosses(texts: list[str], piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modern_nets.finetune.texts.PIECE", piece)
        tape = token_tape(texts, TOKENIZER).tolist()
    end = TOKENIZER.token_to_id(END)
    assert tape == [token for text in texts for token in (end, *TOKENIZER.encode(text).ids)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=12, max_size=80), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_split_never_overlaps_and_keeps_copies_together(examples: list[tuple[int, int]], seed: int) -> None:
    labels, groups = [label for label, _ in examples], [(label, text) for label, text in examples]
    try:
        train, valid = stratified(labels, groups, seed)
    except ValueError:
        assert all(n == 1 for n in Counter(label for label, _ in set(groups)).values())
        return
    assert sorted([*train, *valid]) == list(range(len(labels)))
    assert not {groups[i] for i in train} & {groups[i] for i in valid}
    assert {labels[i] for i in train} == set(labels), "у каждого класса есть чему учить"


def test_split_is_stratified_and_depends_on_the_seed() -> None:
    labels = [0] * 50 + [1] * 10
    first, second = (stratified(labels, range(60), seed) for seed in (0, 1))
    assert Counter(labels[i] for i in first.valid) == {0: 10, 1: 2}
    assert first != second and first == stratified(labels, range(60), 0)


@pytest.mark.parametrize(("n", "batch_size"), [(10, 4), (65, 64), (5, 8), (12, 4)])
def test_every_epoch_shows_every_example_once(n: int, batch_size: int) -> None:
    epochs = Epochs(n, batch_size, seed=3)
    batches = [epochs.rows(step) for step in range(2 * epochs.n_batches)]
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1
    orders = [torch.cat(batches[: epochs.n_batches]).tolist(), torch.cat(batches[epochs.n_batches :]).tolist()]
    assert [sorted(order) for order in orders] == [list(range(n))] * 2
    assert orders[0] != orders[1], "порядок каждой эпохи свой"
    again = Epochs(n, batch_size, seed=3)
    assert torch.equal(again.rows(epochs.n_batches), batches[epochs.n_batches]), "номера зависят только от шага"


def test_shift_moves_and_mirror_reflects() -> None:
    images = torch.arange(64.0).reshape(1, 1, 8, 8)
    still = torch.tensor([[0.5, 0.5, 0.9]])
    assert torch.equal(distort(images, still, "flip"), images)
    assert torch.equal(distort(images, torch.tensor([[0.5, 0.5, 0.1]]), "flip"), images.flip(-1))
    assert torch.equal(distort(images, torch.tensor([[0.5, 0.5, 0.1]]), "shift"), images)
    up = distort(images, torch.tensor([[0.99, 0.5, 0.9]]), "shift")
    assert torch.equal(up[0, 0, :-1], images[0, 0, 1:]) and torch.equal(up[0, 0, -1], images[0, 0, -1])
    assert torch.equal(distort(images, torch.zeros(1, 3), "no"), images)


def test_pictures_are_distorted_anew_at_every_step() -> None:
    from PIL import Image

    def image(index: int, mode: str) -> Image.Image:
        picture = Image.new(mode, (8, 8))
        picture.putdata(range(64))
        return picture

    pictures = Pictures(["а", "б"], [0, 1], Split([0, 1], []), image, {})
    settings = {"image_mean": [0.0], "image_std": [1.0], "size": {"height": 8, "width": 8}, "rescale_factor": 1.0}
    alone = type("Alone", (), {"num_processes": 1, "process_index": 0})()
    seen: list[torch.Tensor] = []

    def model(images: torch.Tensor) -> SimpleNamespace:
        seen.append(images)
        return SimpleNamespace(logits=torch.zeros(len(images), 2))

    for augment in ("no", "shift"):
        task = PictureTask(pictures, settings, workers=0, batch_size=2, seed=0, augment=augment, accelerator=alone)
        for step in range(2):
            task.loss_of(model, *task.draw(step))
    plain, again, first, second = seen
    assert torch.equal(plain, again)
    assert not torch.equal(first, plain) and not torch.equal(first, second)


def test_evaluation_switches_dropout_off() -> None:
    torch.manual_seed(0)
    model = GPT2(GPT2Config(vocab_size=9, max_tokens=4, d_model=8, n_layers=1, n_heads=1, dropout=0.5)).train()
    tape = torch.randint(9, (41,))
    task = NextTokenTask(tape, tape, n_tokens=4, batch_size=2, seed=0)
    loss, _ = task.evaluate(model, accelerator_for(torch.device("cpu")))
    rows = tape[:40].reshape(10, 4)
    expected = F.cross_entropy(model.eval()(rows).logits.flatten(0, 1), tape[1:])
    assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_pictures_of_the_next_step_are_read_once_and_ahead() -> None:
    from PIL import Image

    asked: list[int] = []

    def image(index: int, mode: str) -> Image.Image:
        asked.append(index)
        return Image.new(mode, (2, 2), index)

    pictures = Pictures(["а", "б"], [0, 1] * 4, Split(list(range(8)), []), image, {})
    settings = {"image_mean": [0.0], "image_std": [1.0], "size": {"height": 2, "width": 2}, "rescale_factor": 1.0}
    alone = type("Alone", (), {"num_processes": 1, "process_index": 0})()
    options = {"batch_size": 4, "seed": 0, "augment": "no", "accelerator": alone}
    task = PictureTask(pictures, settings, workers=2, **options)
    for step in range(2):
        indices, answers, _ = task.draw(step)
        assert torch.equal(task.reader.read(indices)[:, 0, 0, 0], indices.float())
        assert answers.tolist() == [index % 2 for index in indices.tolist()]
    assert sorted(asked[:8]) == list(range(8)), "каждая картинка эпохи прочитана один раз"
    task.reader.pool.shutdown()
    assert len(asked) == 12, "и начат следующий шаг"


class Oracle:
    """Знает ленту: следующий токен на единицу больше."""

    def __call__(self, ids: torch.Tensor) -> "Oracle":
        self.logits = torch.nn.functional.one_hot(ids + 1, 200).float() * 50
        return self


def test_next_token_is_asked_of_every_place_once() -> None:
    tape = torch.arange(100)
    task = NextTokenTask(tape, torch.arange(50, 73), n_tokens=7, batch_size=7, seed=0)
    (rows,) = task.draw(0)
    assert rows.shape == (7, 8)
    assert float(task.loss_of(Oracle(), rows)) < 1e-6
    total = task.score(Oracle(), torch.arange(task.n_valid), torch.device("cpu"))
    assert total[1:].tolist() == [22.0, 22.0], "22 перехода между 23 токенами, в последнем окне — остаток"
    firsts = [int(task.draw(epoch * task.epochs.n_batches)[0].min()) % 7 for epoch in range(8)]
    assert len(set(firsts)) > 1, "начало первого окна в каждой эпохе своё"

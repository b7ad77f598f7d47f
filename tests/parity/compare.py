"""Три сверки модели с оригиналом: слои, файл, шаг обучения. Каждая называет то, что разошлось."""

import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from modern_nets.checkpoints import Pretrained
from tests.parity.pairs import TOLERANCE, Pair


def compare_layers(
    pair: Pair, ours: Pretrained, reference: nn.Module, dtype: torch.dtype, valid: Tensor | None = None
) -> None:
    """Выходы всех слоёв равны с точностью до TOLERANCE от наибольшего числа слоя.

    Args:
        pair: Пара.
        ours: Наша модель.
        reference: Оригинал.
        dtype: Тип чисел.
        valid: Места (B, T), на которых сравнивать; None — все.
    """
    inputs = pair.inputs(dtype)
    our_outputs = record(ours, list(pair.layers))
    their_outputs = record(reference, list(pair.layers.values()))
    with torch.no_grad():
        our_result = ours(**inputs)
        their_result = pair.run_reference(reference, inputs)
    for our_layer, their_layer in pair.layers.items():
        compare(our_layer, our_outputs[our_layer], their_outputs[their_layer], TOLERANCE[dtype], valid)
    compare("выход", pair.logits(our_result), pair.logits(their_result), TOLERANCE[dtype], valid)


def compare_files(pair: Pair, ours: Pretrained, reference: nn.Module, folder: Path) -> None:
    """Записанное нами равно записанному оригиналом до бита: имена, формы, типы, числа."""
    if pair.config is None:
        reference.save_pretrained(folder / "theirs")
        ours.save_pretrained(folder / "ours")
        theirs, written = (load_file(folder / side / "model.safetensors") for side in ("theirs", "ours"))
    else:
        theirs, written = reference.state_dict(), pair.file_layout.pack(ours.state_dict())
    # ViT без головы transformers пишет без приставки «vit.»: имена сравниваются так, как их читает загрузчик.
    theirs = {pair.file_layout.plain(name): tensor for name, tensor in theirs.items()}
    written = {pair.file_layout.plain(name): tensor for name, tensor in written.items()}
    theirs = {name: tensor for name, tensor in theirs.items() if not pair.file_layout.is_ignored(name)}
    assert written.keys() == theirs.keys(), f"имена: {sorted(written.keys() ^ theirs.keys())}"
    for name, tensor in theirs.items():
        assert written[name].dtype == tensor.dtype, f"{name}: {written[name].dtype} вместо {tensor.dtype}"
        assert torch.equal(written[name], tensor), f"{name}: не тот тензор"


def compare_training_step(pair: Pair, ours: Pretrained, reference: nn.Module) -> None:
    """Один шаг обучения: равны потери, градиенты и буферы после шага."""
    dtype = next(reference.parameters()).dtype
    ours.train(), reference.train()
    losses = []
    inputs = pair.inputs(dtype)
    for output in (ours(**inputs), pair.run_reference(reference, inputs)):
        logits = pair.logits(output)
        labels = torch.arange(logits[..., 0].numel()) % logits.shape[-1]
        losses.append(F.cross_entropy(logits.flatten(0, -2), labels))
        losses[-1].backward()
    compare("потери", losses[0], losses[1], TOLERANCE[dtype])
    theirs = gradients(reference)
    layout = pair.file_layout
    mine = layout.pack({name: p.grad for name, p in ours.named_parameters() if p.grad is not None})
    if pair.config is None:
        theirs = saved_names(reference, theirs)
    mine = {layout.plain(name): grad for name, grad in mine.items()}
    theirs = {layout.plain(name): grad for name, grad in theirs.items()}
    assert mine.keys() == theirs.keys(), f"градиенты: {sorted(mine.keys() ^ theirs.keys())}"
    largest = max(grad.abs().max() for grad in theirs.values())
    for name, grad in theirs.items():
        compare(f"градиент {name}", mine[name], grad, TOLERANCE[dtype], scale=largest)
    buffers = layout.pack({name: b for name, b in ours.named_buffers() if b.is_floating_point()})
    their_buffers = {name: b for name, b in reference.named_buffers() if b.is_floating_point()}
    for name, buffer in their_buffers.items():
        compare(f"буфер {name}", buffers[name], buffer, TOLERANCE[dtype])


def compare(
    name: str,
    ours: Tensor,
    theirs: Tensor,
    tolerance: float,
    valid: Tensor | None = None,
    *,
    scale: Tensor | None = None,
) -> None:
    """Тензоры равны с точностью до tolerance от наибольшего числа."""
    assert ours.shape == theirs.shape, f"{name}: форма {tuple(ours.shape)} вместо {tuple(theirs.shape)}"
    assert ours.dtype == theirs.dtype, f"{name}: тип {ours.dtype} вместо {theirs.dtype}"
    if valid is not None:
        ours, theirs = ours[valid], theirs[valid]
    scale = theirs.abs().max() if scale is None else scale
    difference = float((ours - theirs).detach().abs().max() / scale)
    assert difference <= tolerance, f"{name}: отличие {difference:.1e} от наибольшего числа, допустимо {tolerance:.0e}"


def record(model: nn.Module, layers: list[str]) -> dict[str, Tensor]:
    """Словарь, в который прямой проход положит выходы слоёв."""
    outputs: dict[str, Tensor] = {}

    def remember(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            tensor = output[0] if isinstance(output, tuple) else output
            outputs[name] = tensor.detach().clone()

        return hook

    for name in layers:
        model.get_submodule(name).register_forward_hook(remember(name))
    return outputs


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """Имя параметра в памяти → градиент; параметры без градиента пропущены."""
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def saved_names(reference: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Те же тензоры под именами, которые transformers пишет в файл: в памяти они зовутся иначе."""
    with torch.no_grad():
        for number, parameter in enumerate(reference.parameters()):
            parameter.fill_(number)  # по числу узнаем, какой это параметр
    names = {name: int(p.flatten()[0]) for name, p in reference.named_parameters()}
    with tempfile.TemporaryDirectory() as folder:
        reference.save_pretrained(folder)
        written = load_file(Path(folder) / "model.safetensors")
    file_name = {int(t.flatten()[0]): name for name, t in written.items() if "running_" not in name}
    return {file_name[names[name]]: grad for name, grad in tensors.items()}

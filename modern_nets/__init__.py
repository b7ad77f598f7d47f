"""Современные архитектуры нейронных сетей, написанные для чтения.

Каждый модуль — один файл, который прочитывается за один присест. Имена берутся прямо из модулей:

    from modern_nets.bert import Bert
    from modern_nets.generate import generate
    from modern_nets.gpt2 import GPT2
    from modern_nets.resnet import ResNet, resnet18
    from modern_nets.vit import ViT

Папку обученной модели, которая лежит в самом пакете, даёт `at_hand`:

    from modern_nets import at_hand

    model = GPT2.from_pretrained(at_hand("tiny-gpt-py"))
"""

from modern_nets.embedded import at_hand

__all__ = ["at_hand"]

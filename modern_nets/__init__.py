"""Современные архитектуры нейронных сетей, написанные для чтения.

Каждый модуль — один файл, который прочитывается за один присест. Имена берутся прямо из модулей:

    from modern_nets.bert import Bert
    from modern_nets.generate import generate
    from modern_nets.gpt2 import GPT2
    from modern_nets.resnet import ResNet, resnet18
    from modern_nets.vit import ViT
"""

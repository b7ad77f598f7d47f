"""Современные архитектуры нейронных сетей, написанные для чтения.

Каждый модуль — один файл, который прочитывается за один присест. Имена берутся прямо из модулей:

    from modern_nets.attention import attention, causal_mask
    from modern_nets.resnet import ResidualBlock
"""

# --8<-- [start:sizes]
import torch

from modern_nets.gpt2 import GPT2, PRESETS

for hub_name, config in PRESETS.items():
    with torch.device("meta"):  # формы без чисел: памяти не нужно
        skeleton = GPT2(config)
    millions = sum(p.numel() for p in skeleton.parameters()) / 1e6
    n_layers, d_model = config.n_layers, config.d_model
    cache = 2 * n_layers * d_model * 2  # ключ и значение по 2 байта
    print(
        f"{hub_name:11}  блоков {n_layers}, D = {d_model:4}: "
        f"{millions:.0f} млн, кэш {cache} байт на токен"
    )
# --8<-- [end:sizes]
# --8<-- [start:fresh]
# docs: near 0.02
# docs: quote fresh_gpt2 ln_gpt2
import math

from modern_nets.gpt2 import GPT2Config

torch.manual_seed(0)
config = GPT2Config(n_layers=2)  # остальное как у gpt2
fresh = GPT2(config).eval()
tokens = torch.randint(config.vocab_size, (2, 64))
with torch.no_grad():
    fresh_gpt2 = fresh(tokens, labels=tokens).loss.item()
ln_gpt2 = math.log(config.vocab_size)
print(
    f"свежая сеть шириной с GPT-2: {fresh_gpt2:.2f}, ln V = {ln_gpt2:.2f}"
)
# --8<-- [end:fresh]

# --8<-- [start:cache]
import torch

from modern_nets.attention import attention
from modern_nets.gpt2 import GPT2, GPT2Config


def empty_cache(model):
    layer = model.blocks[0].attention
    width = layer.key.out_features // layer.n_heads
    nothing = torch.empty(1, layer.n_heads, 0, width)  # (B, H, 0, K)
    return [(nothing, nothing) for _ in model.blocks]


@torch.no_grad()
def cached_step(model, token, cache):
    """Один новый токен (1, 1) → логиты (1, V); кэш пополняется."""
    place = cache[0][0].shape[2]  # сколько токенов уже прочитано
    x = model.token_embedding(token)
    x = x + model.position_embedding.weight[place]
    for i, block in enumerate(model.blocks):
        layer, h = block.attention, block.norm_1(x)  # h: (1, 1, D)
        q, k, v = (
            projection(h).unflatten(-1, (layer.n_heads, -1)).transpose(1, 2)
            for projection in (layer.query, layer.key, layer.value)
        )  # (1, H, 1, K)
        keys = torch.cat([cache[i][0], k], dim=2)  # (1, H, T, K)
        values = torch.cat([cache[i][1], v], dim=2)
        cache[i] = keys, values
        heads, _ = attention(q, keys, values)  # будущего ещё нет
        x = x + layer.output(heads.transpose(1, 2).flatten(-2))
        x = x + block.mlp(block.norm_2(x))
    return (model.norm(x) @ model.token_embedding.weight.T)[:, -1]


# --8<-- [end:cache]
# --8<-- [start:check]
# docs: near 9
# docs: quote cache_gap numbers_kept
# docs: expect cache_gap < 1e-4 and numbers_kept == 2 * 4 * 256
torch.manual_seed(0)
sizes = {"max_tokens": 512, "d_model": 256, "n_layers": 4, "n_heads": 4}
big = GPT2(GPT2Config(vocab_size=34, **sizes)).eval()
text = torch.randint(34, (1, 512))
cache = empty_cache(big)
steps = [cached_step(big, text[:, i : i + 1], cache) for i in range(20)]
with torch.no_grad():
    at_once = big(text[:, :20]).logits  # (1, T, V)
cache_gap = (torch.stack(steps, dim=1) - at_once).abs().max().item()
numbers_kept = sum(k.numel() + v.numel() for k, v in cache) // 20
print("с кэшем и без — одно и то же:", cache_gap < 1e-4)
print("чисел на токен:", numbers_kept, "= 2 · 4 блока · 256")
# --8<-- [end:check]
# --8<-- [start:speed]
# docs: timed
# docs: quote full_ms cached_ms
import time


def milliseconds(function, *inputs):
    began = time.perf_counter()
    with torch.no_grad():
        function(*inputs)
    return 1000 * (time.perf_counter() - began)


cache, with_cache, without = empty_cache(big), [], []
for t in range(512):
    token = text[:, t : t + 1]
    with_cache.append(milliseconds(cached_step, big, token, cache))

lengths = list(range(32, 513, 32))
for n in lengths:
    times = [milliseconds(big, text[:, :n]) for _ in range(3)]
    without.append(sorted(times)[1])  # медиана трёх

calm = [sorted(with_cache[n - 32 : n])[16] for n in lengths]  # медианы
full_ms, cached_ms = without[-1], calm[-1]
for n in 64, 256, 512:
    i = lengths.index(n)
    print(
        f"токен {n}: заново {without[i]:.0f} мс, с кэшем {calm[i]:.1f} мс"
    )
# --8<-- [end:speed]
# --8<-- [start:plot]
# docs: timed
# docs: alt Время одного токена от длины текста: без кэша растёт вместе с длиной, с кэшем почти не меняется
import matplotlib.pyplot as plt

plt.figure(figsize=(6, 3.2))
plt.plot(lengths, without, "o-", label="без кэша")
plt.plot(lengths, calm, "o-", label="с KV-кэшем")
plt.xlabel("токенов в тексте")
plt.ylabel("мс на новый токен")
plt.legend()
plt.show()
# --8<-- [end:plot]

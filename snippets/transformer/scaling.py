# --8<-- [start:measure]
# docs: near 0.05
# docs: quote peak_plain peak_scaled entropy_plain entropy_scaled slope_plain slope_scaled
# docs: expect peak_plain > 0.7 and peak_scaled < 0.4
# docs: expect entropy_plain < 0.6 and entropy_scaled > 1.6
# docs: expect slope_scaled > 3 * slope_plain
import torch


def softmax_of_random(width, scale):
    """Наибольший вес, энтропия и сумма p(1 − p), 2000 розыгрышей."""
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2000, 1, width, generator=generator)
    k = torch.randn(2000, 10, width, generator=generator)  # 10 ключей
    p = (q @ k.mT * scale).softmax(-1)[:, 0]  # (2000, 10)
    entropy = torch.special.entr(p).sum(-1)  # entr(p) = −p · ln p
    return p.max(-1).values, entropy, (p * (1 - p)).sum(-1)


widths = [1, 4, 16, 64, 256, 1024]
plain = [softmax_of_random(width, 1) for width in widths]
scaled = [softmax_of_random(width, width**-0.5) for width in widths]
print(f"    {'без деления':>23}{'с делением':>23}")
print(" d_k" + 2 * "    вес  энтр.  Σp(1−p)")
means = {}
for width, *rows in zip(widths, plain, scaled, strict=True):
    means[width] = [value.mean().item() for row in rows for value in row]
    row = (2 * "{:7.2f}{:7.2f}{:9.2f}").format(*means[width])
    print(f"{width:4}{row}")
peak_plain, entropy_plain, slope_plain = means[64][:3]
peak_scaled, entropy_scaled, slope_scaled = means[64][3:]
# --8<-- [end:measure]


# --8<-- [start:figure]
# docs: near 0.05
# docs: alt Слева наибольший вес, справа энтропия против ширины ключа. Без деления вес растёт почти до единицы, а энтропия падает почти до нуля; с делением обе линии почти горизонтальны
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
for name, rows in [("без деления", plain), ("с делением", scaled)]:
    for ax, values in zip(axes, zip(*rows, strict=True), strict=False):
        low, middle, high = torch.stack(values).quantile(
            torch.tensor([0.1, 0.5, 0.9]), dim=1
        )
        ax.semilogx(widths, middle, "o-", label=name)
        ax.fill_between(widths, low, high, alpha=0.2)
        ax.set(xlabel="ширина ключа d_k", ylim=(0, None))
        ax.set_xticks([1, 16, 256], [1, 16, 256])
        ax.minorticks_off()
axes[0].set_title("наибольший вес из 10")
axes[1].set_title("энтропия весов")
axes[1].axhline(2.303, color="gray", ls=":")
axes[0].legend()
plt.show()
# --8<-- [end:figure]

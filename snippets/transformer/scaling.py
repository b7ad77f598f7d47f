# docs: near 0.05
# docs: quote peak_plain peak_scaled
# docs: alt Наибольший вес внимания против ширины ключа: без деления растёт почти до единицы, с делением держится около трети
import matplotlib.pyplot as plt
import torch


def one_hotness(width, scale):
    """Средний наибольший вес и средняя чувствительность softmax."""
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2000, 1, width, generator=generator)
    k = torch.randn(2000, 10, width, generator=generator)  # 10 ключей
    weights = (q @ k.mT * scale).softmax(-1)[:, 0]  # (2000, 10)
    peak = weights.max(-1).values.mean().item()
    slope = (weights * (1 - weights)).max(-1).values.mean().item()
    return peak, slope


widths = [1, 4, 16, 64, 256, 1024]
plain = [one_hotness(width, 1) for width in widths]
scaled = [one_hotness(width, width**-0.5) for width in widths]
peak_plain, peak_scaled = plain[3][0], scaled[3][0]
for width, (peak, slope), (peak_s, slope_s) in zip(
    widths, plain, scaled, strict=True
):
    print(
        f"d_k = {width:4}: {peak:.2f} и {peak_s:.2f}, "
        f"p(1 − p) {slope:.2f} и {slope_s:.2f}"
    )

fig, ax = plt.subplots(figsize=(5, 3))
ax.semilogx(widths, [peak for peak, _ in plain], "o-", label="без деления")
ax.semilogx(widths, [peak for peak, _ in scaled], "s-", label="с делением")
ax.set(
    xlabel="ширина ключа d_k", ylabel="наибольший вес из 10", ylim=(0, 1)
)
ax.set_xticks(widths, [str(width) for width in widths])
ax.legend()
plt.show()

# --8<-- [start:three_numbers]
import torch

x = torch.tensor([1.0, 2.0, 0.5])  # вход блока
f = torch.tensor([0.5, -3.0, 0.0])  # что насчитали его слои

print("сумма F + x:      ", (f + x).tolist())
print("выход ReLU(F + x):", torch.relu(f + x).tolist())

weight = torch.zeros(3, 3)  # слои, которые ничему не научились
print("обычный слой:     ", torch.relu(weight @ x).tolist())
print("остаточный слой:  ", torch.relu(weight @ x + x).tolist())
# --8<-- [end:three_numbers]


# --8<-- [start:slope]
# docs: near 0.01
# docs: quote slope_residual slope_minus
def slope(layer, depth=20):
    """Производная выхода цепочки из `depth` слоёв по её входу."""
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(depth):
        y = layer(y)
    y.backward()
    return x.grad.item()


slope_plain = slope(lambda y: 0.1 * y)
slope_residual = slope(lambda y: y + 0.1 * y)
slope_minus = slope(lambda y: y - 0.1 * y)
print(f"обычные слои, наклон 0.1:     {slope_plain:.1e}")
print(f"остаточные, наклон ветви 0.1:  {slope_residual:.2g}")
print(f"остаточные, наклон ветви −0.1: {slope_minus:.2g}")
# --8<-- [end:slope]

# --8<-- [start:load]
# docs: quote n_params_18
import torch
from torchvision.models import resnet18

torch.manual_seed(0)
net = resnet18(weights=None).eval()  # архитектура; веса случайные
n_params_18 = sum(p.numel() for p in net.parameters())
print(f"параметров: {n_params_18:,}".replace(",", " "))
print("блоков:", [len(net.get_submodule(f"layer{i}")) for i in range(1, 5)])
# --8<-- [end:load]


# --8<-- [start:shapes]
def show_shapes(net, size):
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        for name, layer in net.named_children():
            if name == "fc":
                x = x.flatten(1)  # (B, 512, 1, 1) → (B, 512)
            x = layer(x)
            if name not in ("bn1", "relu"):
                print(f"{name:8}", tuple(x.shape))


show_shapes(net, 224)
# --8<-- [end:shapes]

# --8<-- [start:agree]
from modern_nets.resnet import ResidualBlock

official = net.layer2[0]  # 64 → 128, шаг 2
ours = ResidualBlock(64, 128, stride=2).eval()

# Имена весов разные, порядок один и тот же.
names, values = ours.state_dict().keys(), official.state_dict().values()
ours.load_state_dict(dict(zip(names, values, strict=True)))

x = torch.randn(2, 64, 56, 56)
with torch.no_grad():
    print("совпали:", torch.allclose(ours(x), official(x), atol=1e-5))
# --8<-- [end:agree]

# --8<-- [start:small]
show_shapes(net, 32)
# --8<-- [end:small]

# --8<-- [start:small_mended]
from torch import nn

net = resnet18(weights=None, num_classes=10).eval()
net.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
net.maxpool = nn.Identity()
show_shapes(net, 32)
# --8<-- [end:small_mended]

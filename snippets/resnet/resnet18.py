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


# --8<-- [start:field]
def side(size):
    return size if isinstance(size, int) else size[0]


field, step = 1, 1  # сторона поля и расстояние между соседними точками
for name, stage in net.named_children():
    for part, layer in stage.named_modules():
        if hasattr(layer, "kernel_size") and "downsample" not in part:
            field += (side(layer.kernel_size) - 1) * step
            step *= side(layer.stride)
    if name == "maxpool" or name.startswith("layer"):
        print(f"{name:8} поле {field:3} × {field:3}, шаг {step:2}")
# --8<-- [end:field]

# --8<-- [start:agree]
from modern_nets.resnet import BasicBlock, ResidualBlock

official = net.layer2[0]  # 64 → 128, шаг 2
values = official.state_dict()

basic = BasicBlock(64, 128, stride=2).eval()
basic.load_state_dict(values)  # имена весов те же

ours = ResidualBlock(64, 128, stride=2).eval()
names = ours.state_dict()  # имена другие, порядок тот же
ours.load_state_dict(dict(zip(names, values.values(), strict=True)))

x = torch.randn(2, 64, 56, 56)
with torch.no_grad():
    expected = official(x)
    print("BasicBlock:   ", torch.allclose(basic(x), expected, atol=1e-5))
    print("ResidualBlock:", torch.allclose(ours(x), expected, atol=1e-5))
# --8<-- [end:agree]

# --8<-- [start:whole_net]
from modern_nets.resnet import ResNet, ResNetConfig

ours = ResNet(ResNetConfig()).eval()  # по умолчанию — ResNet-18
ours.load_state_dict(net.state_dict())  # весь словарь, как есть

images = torch.randn(2, 3, 224, 224)
with torch.no_grad():
    output, logits = ours(images), net(images)
print("карты:   ", tuple(output.last_hidden_state.shape))
print("признаки:", tuple(output.pooler_output.shape))
print("логиты:  ", tuple(output.logits.shape))
same = torch.allclose(output.logits, logits, atol=1e-4)
print("логиты те же, что у torchvision:", same)
# --8<-- [end:whole_net]

# --8<-- [start:family]
from modern_nets.resnet import PRESETS

for name, config in PRESETS.items():
    with torch.device("meta"):  # формы без чисел: памяти не нужно
        n_params = sum(p.numel() for p in ResNet(config).parameters())
    blocks = f"{config.block}, {config.depths}"
    print(f"{name:9} {blocks:26} {n_params / 1e6:.1f} млн")
# --8<-- [end:family]

# --8<-- [start:folder]
from pathlib import Path
from tempfile import TemporaryDirectory

with TemporaryDirectory() as folder:
    ours.save_pretrained(folder)
    print(*sorted(path.name for path in Path(folder).iterdir()))
    again = ResNet.from_pretrained(folder)
    ten_classes = ResNet.from_pretrained(folder, n_classes=10)

with torch.no_grad():
    same = torch.equal(again(images).logits, output.logits)
print("прочитана та же сеть:", same)
print("новая голова:", tuple(ten_classes.fc.weight.shape))
# --8<-- [end:folder]

# --8<-- [start:small]
show_shapes(net, 32)
# --8<-- [end:small]

# --8<-- [start:small_mended]
from torch import nn

net = resnet18(weights=None, num_classes=10).eval()
net.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
net.maxpool = nn.Identity()
show_shapes(net, 32)

ours = ResNet(ResNetConfig(stem="small", n_classes=10)).eval()
ours.load_state_dict(net.state_dict())  # в пакете это одна настройка
# --8<-- [end:small_mended]

# --8<-- [start:tokens]
# docs: quote n_patches n_tokens
import torch
from transformers import ViTConfig, ViTModel

with torch.device("meta"):
    model = ViTModel(ViTConfig()).eval()
    hidden = model(torch.empty(1, 3, 224, 224)).last_hidden_state

n_patches, n_tokens = (224 // 16) ** 2, hidden.shape[1]
print("патчей:", n_patches, "токенов:", n_tokens)
# --8<-- [end:tokens]


# --8<-- [start:projection]
# docs: quote projection_params
from torch import nn
from torch.nn.functional import unfold

torch.manual_seed(0)
projection = nn.Conv2d(3, 768, kernel_size=16, stride=16).double()
projection_params = sum(p.numel() for p in projection.parameters())
image = torch.randn(1, 3, 224, 224, dtype=torch.float64)

by_conv = projection(image).flatten(2).mT  # (1, 196, 768)
patches = unfold(image, kernel_size=16, stride=16).mT  # (1, 196, 3·16·16)
by_linear = patches @ projection.weight.flatten(1).T + projection.bias
print(
    "вытянутый патч:",
    tuple(patches.shape[1:]),
    "токены:",
    tuple(by_conv.shape[1:]),
)
print("свёртка и слой совпали:", torch.allclose(by_conv, by_linear))
print("обучаемых чисел в проекции:", projection_params)
# --8<-- [end:projection]


# --8<-- [start:image]
from PIL import Image
from skimage import data
from transformers import ViTImageProcessor

processor = ViTImageProcessor()  # 224×224, среднее и отклонение 0,5
cat = Image.fromarray(data.chelsea())
for mode in ("RGB", "L", "RGBA"):  # цветная, серая, с прозрачностью
    picture = cat.convert(mode)
    try:
        processor(picture, return_tensors="pt")
        print(f"{mode:<5}принята")
    except Exception as error:
        print(f"{mode:<5}отвергнута: {type(error).__name__}")
    values = processor(picture.convert("RGB"), return_tensors="pt")[
        "pixel_values"
    ]
    print(f"{'':<5}после convert: {tuple(values.shape)}")
# --8<-- [end:image]

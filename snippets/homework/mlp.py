# docs: quote mlp_params
from torch import nn

mlp = nn.Sequential(
    nn.Flatten(),  # (B, 3, 32, 32) → (B, 3072)
    nn.Linear(3 * 32 * 32, 512),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(512, 256),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(256, 10),
)
mlp_params = sum(p.numel() for p in mlp.parameters())
print("параметров MLP:", mlp_params)

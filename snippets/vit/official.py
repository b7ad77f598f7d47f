# --8<-- [start:transformers]
# docs: official google/vit-base-patch16-224
import torch
from PIL import Image
from skimage.data import chelsea
from transformers import ViTImageProcessor, ViTModel

name = "google/vit-base-patch16-224"
model = ViTModel.from_pretrained(name, add_pooling_layer=False)
processor = ViTImageProcessor.from_pretrained(name)

image = Image.fromarray(chelsea()).convert("RGB")
inputs = processor(images=image, return_tensors="pt")
with torch.no_grad():
    outputs = model(**inputs)

print("картинка:", tuple(inputs["pixel_values"].shape))
print("токены:  ", tuple(outputs.last_hidden_state.shape))
print("[CLS]:   ", tuple(outputs.last_hidden_state[:, 0].shape))
# --8<-- [end:transformers]

# --8<-- [start:package]
# docs: official google/vit-base-patch16-224
from modern_nets.vit import ViT

net = ViT.from_pretrained(name)
with torch.no_grad():
    output = net(inputs["pixel_values"], return_attention=True)

print("логиты:  ", tuple(output.logits.shape))
print("токены:  ", tuple(output.last_hidden_state.shape))
print("внимание:", tuple(output.attentions[-1].shape))
print("слоёв:   ", len(output.attentions))
# --8<-- [end:package]

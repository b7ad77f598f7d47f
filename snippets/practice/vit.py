# docs: official google/vit-base-patch16-224
import torch
from skimage import data
from PIL import Image
from transformers import ViTForImageClassification, ViTImageProcessor

name = "google/vit-base-patch16-224"
processor = ViTImageProcessor.from_pretrained(name)
model = ViTForImageClassification.from_pretrained(name)

image = Image.fromarray(data.chelsea()).convert(
    "RGB"
)  # кошка из scikit-image
inputs = processor(images=image, return_tensors="pt")
with torch.no_grad():
    outputs = model(**inputs, output_hidden_states=True)
print("картинка:", image.size, "→", tuple(inputs["pixel_values"].shape))
print("токены:  ", tuple(outputs.hidden_states[-1].shape))
print("классы:  ", tuple(outputs.logits.shape))

# docs: official gpt2
import torch
from transformers import GPT2LMHeadModel, GPT2Tokenizer

tokenizer = GPT2Tokenizer.from_pretrained("gpt2", padding_side="left")
tokenizer.pad_token = tokenizer.eos_token  # своего заполнителя у GPT-2 нет
model = GPT2LMHeadModel.from_pretrained("gpt2")

prompts = ["The meaning of life is", "Once"]
inputs = tokenizer(prompts, padding=True, return_tensors="pt")
torch.manual_seed(0)
ids = model.generate(
    **inputs,
    min_new_tokens=20,
    max_new_tokens=20,
    do_sample=True,
    top_p=0.9,
    pad_token_id=tokenizer.pad_token_id,
)
texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
new_tokens = ids.shape[1] - inputs["input_ids"].shape[1]
print("текстов:", len(texts))
print("новых токенов в каждом:", new_tokens)

# --8<-- [start:transformers]
# docs: official gpt2
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2", padding_side="left")
tokenizer.pad_token = tokenizer.eos_token  # своего заполнителя у GPT-2 нет
gpt2 = AutoModelForCausalLM.from_pretrained("gpt2").eval()

prompts = ["Hello, my name is", "The quick brown fox jumps over the"]
inputs = tokenizer(prompts, padding=True, return_tensors="pt")
places = (inputs.attention_mask.cumsum(dim=1) - 1).clamp(min=0)
with torch.no_grad():
    logits = gpt2(**inputs, position_ids=places).logits  # (B, T, V)
print("ось словаря:", logits.shape[-1], "осей:", logits.dim())

torch.manual_seed(0)
answer = gpt2.generate(
    **inputs,
    min_new_tokens=20,
    max_new_tokens=20,
    do_sample=True,
    top_p=0.9,
    pad_token_id=tokenizer.eos_token_id,
)
print("новых токенов:", answer.shape[1] - inputs.input_ids.shape[1])
text = tokenizer.batch_decode(answer, skip_special_tokens=True)
print("готовых строк:", len(text))
# --8<-- [end:transformers]


# --8<-- [start:package]
# docs: official gpt2
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2

ours = GPT2.from_pretrained("gpt2")
with torch.no_grad():
    output = ours(**inputs)  # места считает сама, по attention_mask
real = inputs.attention_mask.bool()
gap = (output.logits - logits)[real].abs().max().item()
print("логиты те же, что у transformers:", gap < 1e-3)

stop = tokenizer.eos_token_id
answer = generate(ours, **inputs, max_new_tokens=20, stop_tokens=[stop])
expected = gpt2.generate(
    **inputs, max_new_tokens=20, do_sample=False, pad_token_id=stop
)
print("жадное продолжение то же:", torch.equal(answer, expected))
# --8<-- [end:package]

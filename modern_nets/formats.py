"""Таблицы имён: как каждая модель записана в файлах Hugging Face и torchvision.

Имена в файлах старше имён в сегодняшнем коде transformers, поэтому таблицы держатся за файлы. Слева — имя
в файле, справа — у нас; звёздочка — номер слоя. Что значит каждое поле, сказано у `modern_nets.layout.Layout`.
"""

from dataclasses import replace

from modern_nets.layout import Layout


def _resnet_names() -> dict[str, str]:
    """Стадии у Hugging Face считаются с нуля, у torchvision и у нас — с единицы."""
    names = {
        "resnet.embedder.embedder.convolution": "conv1",
        "resnet.embedder.embedder.normalization": "bn1",
        "classifier.1": "fc",
    }
    for stage in range(8):
        theirs, ours = f"resnet.encoder.stages.{stage}.layers.*", f"layer{stage + 1}.*"
        names |= {f"{theirs}.shortcut.convolution": f"{ours}.downsample.0"}
        names |= {f"{theirs}.shortcut.normalization": f"{ours}.downsample.1"}
        for i in range(3):
            names |= {f"{theirs}.layer.{i}.convolution": f"{ours}.conv{i + 1}"}
            names |= {f"{theirs}.layer.{i}.normalization": f"{ours}.bn{i + 1}"}
    return names


RESNET = Layout(
    model_type="resnet",
    fields={
        "layer_type": "block",
        "depths": "depths",
        "hidden_sizes": "widths",
        "embedding_size": "stem_width",
        "num_channels": "n_channels",
    },
    required={"hidden_act": "relu", "downsample_in_first_stage": False, "downsample_in_bottleneck": False},
    inert=frozenset({"out_features", "out_indices", "stage_names"}),
    names=_resnet_names(),
    prefix="resnet.",
    optional=("*.num_batches_tracked",),
)
"""ResNet у Hugging Face."""
# У transformers начало сети одно; с чужим model_type она откажется, а не соберёт другую сеть.
RESNET_SMALL_STEM = replace(RESNET, model_type="modern_nets_resnet")
"""ResNet с началом для маленьких картинок: читает и пишет только пакет."""

RESNET_TORCHVISION = Layout(optional=("*.num_batches_tracked",))
"""ResNet у torchvision: имена те же; счётчика пакетов в её старых файлах нет."""

_BERT_BODY = {
    "embeddings.word_embeddings": "token_embedding",
    "embeddings.position_embeddings": "position_embedding",
    "embeddings.token_type_embeddings": "segment_embedding",
    "embeddings.LayerNorm": "embedding_norm",
    "encoder.layer.*.attention.self.query": "blocks.*.attention.query",
    "encoder.layer.*.attention.self.key": "blocks.*.attention.key",
    "encoder.layer.*.attention.self.value": "blocks.*.attention.value",
    "encoder.layer.*.attention.output.dense": "blocks.*.attention.output",
    "encoder.layer.*.attention.output.LayerNorm": "blocks.*.norm_1",
    "encoder.layer.*.intermediate.dense": "blocks.*.mlp.up",
    "encoder.layer.*.output.dense": "blocks.*.mlp.down",
    "encoder.layer.*.output.LayerNorm": "blocks.*.norm_2",
    "pooler.dense": "pooler",
}
_BERT_BODY_IN_MODEL = {f"bert.{theirs}": f"bert.{ours}" for theirs, ours in _BERT_BODY.items()}
BERT = Layout(
    model_type="bert",
    fields={
        "vocab_size": "vocab_size",
        "hidden_size": "d_model",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "d_mlp",
        "max_position_embeddings": "max_tokens",
        "type_vocab_size": "n_segments",
        "pad_token_id": "pad_token_id",
        "hidden_act": "activation",
        "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
        "layer_norm_eps": "layer_norm_eps",
    },
    defaults={"layer_norm_eps": 1e-12, "pad_token_id": 0},
    required={
        "is_decoder": False,
        "add_cross_attention": False,
        "tie_word_embeddings": True,
        "classifier_dropout": None,
    }
    | {"position_embedding_type": "absolute", "problem_type": "single_label_classification"},
    # Остались от кода авторов и от сжатия моделей (rubert, rubert-tiny): transformers их тоже не читает.
    inert=frozenset(
        {"directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers"}
        | {"pooler_size_per_head", "pooler_type", "emb_size", "output_past"}
    ),
    names=_BERT_BODY,
    prefix="bert.",
    ignored=("cls.*", "classifier.*", "qa_outputs.*", "embeddings.position_ids"),
)
"""Тело BERT без голов."""
BERT_MASKED_LM = replace(
    BERT,
    names=_BERT_BODY_IN_MODEL
    | {
        "cls.predictions.transform.dense": "transform",
        "cls.predictions.transform.LayerNorm": "transform_norm",
        "cls.predictions.bias": "output_bias",
    },
    ignored=("pooler.*", "cls.seq_relationship.*", "embeddings.position_ids"),
    tied={
        "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
)
"""BERT, который угадывает закрытые токены."""
BERT_CLASSIFIER = replace(
    BERT,
    names=_BERT_BODY_IN_MODEL | {"classifier": "classifier"},
    ignored=("cls.*", "embeddings.position_ids"),
)
"""BERT с классификатором текстов."""

GPT2 = Layout(
    model_type="gpt2",
    fields={
        "vocab_size": "vocab_size",
        "n_embd": "d_model",
        "n_layer": "n_layers",
        "n_head": "n_heads",
        "n_inner": "d_mlp",
        "n_positions": "max_tokens",
        "activation_function": "activation",
        "resid_pdrop": "dropout",
        "embd_pdrop": "embedding_dropout",
        "attn_pdrop": "attention_dropout",
        "layer_norm_epsilon": "layer_norm_eps",
    },
    defaults={"n_inner": None},
    required={"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "tie_word_embeddings": True}
    | {"reorder_and_upcast_attn": False, "add_cross_attention": False},
    # Поля summary_* — о голове для выбора из вариантов; её здесь нет.
    inert=frozenset(
        {"summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"}
        | {"n_ctx", "pad_token_id", "n_special", "output_past", "predict_special_tokens"}  # последние три — rugpt
    ),
    names={
        "transformer.wte": "token_embedding",
        "transformer.wpe": "position_embedding",
        "transformer.h.*.ln_1": "blocks.*.norm_1",
        "transformer.h.*.attn.c_attn": (
            "blocks.*.attention.query",
            "blocks.*.attention.key",
            "blocks.*.attention.value",
        ),
        "transformer.h.*.attn.c_proj": "blocks.*.attention.output",
        "transformer.h.*.ln_2": "blocks.*.norm_2",
        "transformer.h.*.mlp.c_fc": "blocks.*.mlp.up",
        "transformer.h.*.mlp.c_proj": "blocks.*.mlp.down",
        "transformer.ln_f": "norm",
    },
    prefix="transformer.",
    transposed=("h.*.attn.c_attn", "h.*.attn.c_proj", "h.*.mlp.c_fc", "h.*.mlp.c_proj"),
    ignored=("h.*.attn.bias", "h.*.attn.masked_bias"),  # причинные маски, записанные как тензоры
    tied={"lm_head.weight": "wte.weight"},
)
"""GPT-2: запросы, ключи и значения склеены в одну матрицу c_attn, и матрицы повёрнуты."""

VIT = Layout(
    model_type="vit",
    fields={
        "image_size": "image_size",
        "patch_size": "patch_size",
        "num_channels": "n_channels",
        "hidden_size": "d_model",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "d_mlp",
        "hidden_act": "activation",
        "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
        "layer_norm_eps": "layer_norm_eps",
    },
    required={"qkv_bias": True, "problem_type": "single_label_classification"},
    # Поля pooler_* — о слое, которого нет у классификатора; encoder_stride — о восстановлении картинки.
    inert=frozenset({"encoder_stride", "pooler_act", "pooler_output_size"}),
    names={
        "vit.embeddings.cls_token": "cls_token",
        "vit.embeddings.position_embeddings": "position_embedding",
        "vit.embeddings.patch_embeddings.projection": "patch_embedding",
        "vit.encoder.layer.*.layernorm_before": "blocks.*.norm_1",
        "vit.encoder.layer.*.attention.attention.query": "blocks.*.attention.query",
        "vit.encoder.layer.*.attention.attention.key": "blocks.*.attention.key",
        "vit.encoder.layer.*.attention.attention.value": "blocks.*.attention.value",
        "vit.encoder.layer.*.attention.output.dense": "blocks.*.attention.output",
        "vit.encoder.layer.*.layernorm_after": "blocks.*.norm_2",
        "vit.encoder.layer.*.intermediate.dense": "blocks.*.mlp.up",
        "vit.encoder.layer.*.output.dense": "blocks.*.mlp.down",
        "vit.layernorm": "norm",
        "classifier": "head",
    },
    prefix="vit.",
    ignored=("pooler.*",),
)
"""ViT у Hugging Face."""
VIT_TORCHVISION = Layout(
    names={
        "class_token": "cls_token",
        "encoder.pos_embedding": "position_embedding",
        "conv_proj": "patch_embedding",
        "encoder.layers.encoder_layer_*.ln_1": "blocks.*.norm_1",
        "encoder.layers.encoder_layer_*.self_attention.in_proj_weight": (
            "blocks.*.attention.query.weight",
            "blocks.*.attention.key.weight",
            "blocks.*.attention.value.weight",
        ),
        "encoder.layers.encoder_layer_*.self_attention.in_proj_bias": (
            "blocks.*.attention.query.bias",
            "blocks.*.attention.key.bias",
            "blocks.*.attention.value.bias",
        ),
        "encoder.layers.encoder_layer_*.self_attention.out_proj": "blocks.*.attention.output",
        "encoder.layers.encoder_layer_*.ln_2": "blocks.*.norm_2",
        "encoder.layers.encoder_layer_*.mlp.0": "blocks.*.mlp.up",
        "encoder.layers.encoder_layer_*.mlp.3": "blocks.*.mlp.down",
        "encoder.ln": "norm",
        "heads.head": "head",
    },
)
"""ViT у torchvision: запросы, ключи и значения склеены в in_proj."""


def _marian_names() -> dict[str, str]:
    """Marian — Transformer переводчиков opus-mt; у внимания энкодера и декодера имена одни."""
    names = {"model.shared": "embedding", "final_logits_bias": "output_bias"}
    for side, attentions in (
        ("encoder", {"self_attn": "attention"}),
        ("decoder", {"self_attn": "attention", "encoder_attn": "cross_attention"}),
    ):
        theirs, ours = f"model.{side}.layers.*", f"{side}.*"
        for their_attention, our_attention in attentions.items():
            norm = "norm_1" if our_attention == "attention" else "norm_2"
            names |= {f"{theirs}.{their_attention}_layer_norm": f"{ours}.{norm}"}
            parts = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "output"}
            names |= {f"{theirs}.{their_attention}.{t}": f"{ours}.{our_attention}.{o}" for t, o in parts.items()}
        names |= {f"{theirs}.fc1": f"{ours}.mlp.up", f"{theirs}.fc2": f"{ours}.mlp.down"}
        names |= {f"{theirs}.final_layer_norm": f"{ours}.norm_{len(attentions) + 1}"}
    return names


MARIAN = Layout(
    model_type="marian",
    fields={
        "vocab_size": "vocab_size",
        "decoder_vocab_size": "vocab_size",
        "d_model": "d_model",
        "encoder_layers": "n_layers",
        "decoder_layers": "n_layers",
        "encoder_attention_heads": "n_heads",
        "decoder_attention_heads": "n_heads",
        "encoder_ffn_dim": "d_mlp",
        "decoder_ffn_dim": "d_mlp",
        "activation_function": "activation",
        "dropout": "dropout",
    },
    defaults={"decoder_vocab_size": None},
    required={"static_position_embeddings": True, "scale_embedding": True, "is_encoder_decoder": True}
    | {"share_encoder_decoder_embeddings": True, "tie_word_embeddings": True, "normalize_before": False}
    | {"activation_dropout": 0.0, "attention_dropout": 0.0, "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0},
    inert=frozenset(
        {"max_position_embeddings", "num_hidden_layers", "init_std", "pad_token_id", "forced_eos_token_id"}
        | {"num_beams", "max_length", "bad_words_ids", "_num_labels", "classif_dropout", "classifier_dropout"}
    ),
    names=_marian_names(),
    prefix="model.",
    ignored=("*.embed_positions.weight",),  # синусы, записанные таблицей
    tied={
        "lm_head.weight": "shared.weight",
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
    },
)
"""Marian — переводчики opus-mt: Transformer 2017 года с SiLU и своим порядком синусов."""

TRANSFORMER = Layout(
    model_type="modern_nets_transformer",
    fields={
        "vocab_size": "vocab_size",
        "d_model": "d_model",
        "n_heads": "n_heads",
        "n_layers": "n_layers",
        "d_mlp": "d_mlp",
        "activation": "activation",
        "dropout": "dropout",
        "layer_norm_eps": "layer_norm_eps",
    },
)
"""Transformer 2017 года: имена свои, читает и пишет только пакет."""


def _torch_transformer_names() -> dict[str, str | tuple[str, ...]]:
    """Слои `nn.Transformer`: три проекции внимания склеены в in_proj."""
    names: dict[str, str | tuple[str, ...]] = {}
    for side in ("encoder", "decoder"):
        attentions = {"self_attn": "attention"} | ({"multihead_attn": "cross_attention"} if side == "decoder" else {})
        for theirs, ours in attentions.items():
            for leaf in ("weight", "bias"):
                parts = tuple(f"{side}.*.{ours}.{part}.{leaf}" for part in ("query", "key", "value"))
                names[f"{side}.layers.*.{theirs}.in_proj_{leaf}"] = parts
            names[f"{side}.layers.*.{theirs}.out_proj"] = f"{side}.*.{ours}.output"
        names |= {f"{side}.layers.*.linear1": f"{side}.*.mlp.up", f"{side}.layers.*.linear2": f"{side}.*.mlp.down"}
        names |= {f"{side}.layers.*.norm{i}": f"{side}.*.norm_{i}" for i in range(1, len(attentions) + 2)}
    return names


TORCH_TRANSFORMER = Layout(names=_torch_transformer_names())
"""Слои `nn.Transformer`."""

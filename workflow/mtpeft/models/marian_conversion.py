"""Turn a model of Marian into a folder of transformers: config.json, weights, vocabulary and tokenizer.

A decoder of self-attention becomes a `MarianMTModel`, one of simple recurrent units a student (see
`mtpeft.models.student`). Marian has no padding and begins with a zero vector. Like the converter of transformers, this
one adds an entry `<pad>`, whose embedding is zero, as the last of the vocabulary; the decoder begins with it, and no
hypothesis may hold it.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtpeft.core.errors import UserError
from mtpeft.core.files import new_folder, write_record, write_text
from mtpeft.models.marian_files import EMBEDDINGS, MarianModel, read_marian

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PAD = "<pad>"
OUTPUT_BIAS = "decoder_ff_logit_out_b"
MAX_POSITIONS = 512
"""Longest sequence in tokens; sinusoids have no end of their own."""
REQUIRED: Mapping[str, Any] = {
    "type": "transformer",
    "tied-embeddings-all": True,
    "transformer-postprocess": "dan",
    "transformer-preprocess": "",
    "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": "",
    "transformer-ffn-depth": 2,
    "transformer-no-projection": False,
    "transformer-train-position-embeddings": False,
    "transformer-tied-layers": [],
    "lemma-dim-emb": 0,
    "right-left": False,
}
"""Options that a model must have, since transformers has no other Marian. The value of a missing one is the same."""
ACTIVATIONS = {"relu": "relu", "swish": "swish", "gelu": "gelu"}
ATTENTION = {"Wq": "q_proj", "Wk": "k_proj", "Wv": "v_proj", "Wo": "out_proj"}


def convert(model: Path, *, vocabulary: Path, folder: Path) -> None:
    """Write the folder of a model of Marian that has one vocabulary of sentencepiece for both sides.

    Args:
        model: `.npz` or `.bin`.
        vocabulary: the sentencepiece model, whose pieces are numbered as the entries of the model are.
        folder: what is written.

    Raises:
        UserError: a file is wrong, the architecture is not one of those above, or the vocabulary is another model's.
    """
    read = read_marian(model)
    with new_folder(folder) as made:
        entries = write_tokenizer(vocabulary, made)
        rows = read.weights[EMBEDDINGS].shape[0] if EMBEDDINGS in read.weights else 0
        if rows != entries - 1:
            raise UserError(f"{vocabulary} has {entries - 1} pieces, but {model} has {rows} embeddings; use its own.")
        built = build(read, name=str(model), entries=entries)
        built.save_pretrained(made)


def write_tokenizer(vocabulary: Path, folder: Path) -> int:
    """Write the files of a `MarianTokenizer` with one sentencepiece model; returns the number of entries with `<pad>`.

    Raises:
        UserError: it is no sentencepiece model, or has no `</s>` and `<unk>` where Marian wants them.
    """
    import sentencepiece

    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{vocabulary} is no model of sentencepiece; write the one of the model of Marian.") from error
    pieces = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    if pieces[:2] != ["</s>", "<unk>"]:
        raise UserError(f"{vocabulary} begins with {pieces[:2]}, but vocabularies of Marian with '</s>' and '<unk>'.")
    if len(set(pieces)) != len(pieces) or PAD in pieces:
        raise UserError(f"{vocabulary} has a piece twice, or '{PAD}'; it is no vocabulary of Marian.")
    for side in ("source", "target"):
        shutil.copyfile(vocabulary, folder / f"{side}.spm")
    entries = {piece: number for number, piece in enumerate([*pieces, PAD])}
    write_text(folder / "vocab.json", json.dumps(entries, ensure_ascii=False) + "\n")
    write_record(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "MarianTokenizer", "model_max_length": MAX_POSITIONS, "separate_vocabs": False},
    )
    return len(entries)


def build(read: MarianModel, *, name: str, entries: int) -> "PreTrainedModel":
    """Build the model with the weights of Marian.

    Args:
        read: the model as Marian stores it.
        name: what messages call it.
        entries: of the vocabulary, with `<pad>`.

    Raises:
        UserError: the architecture is another one, or weights are missing or left over.
    """
    import torch
    from transformers import MarianConfig, MarianMTModel

    from mtpeft.models.student import StudentConfig, StudentMTModel

    keys = config_keys(read.options, name=name, entries=entries)
    is_student = read.options.get("transformer-decoder-autoreg") == "rnn"
    model = StudentMTModel(StudentConfig(**keys)) if is_student else MarianMTModel(MarianConfig(**keys))
    named = dict(_named_weights(read, keys, is_student=is_student, name=name))
    weights = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in named.items()}
    model.load_state_dict(weights, strict=False)
    model.tie_weights()
    wrong = [key for key, value in weights.items() if not torch.equal(model.state_dict()[key], value)]
    assert not wrong, f"{wrong[0]} was not loaded"
    model.generation_config.bad_words_ids = [[entries - 1]]
    return model.eval()


def config_keys(options: Mapping[str, Any], *, name: str, entries: int) -> dict[str, Any]:
    """Return the keys of config.json that follow from Marian's options.

    Raises:
        UserError: the options say of the architecture what transformers' Marian and the students are not.
    """
    for option, wanted in REQUIRED.items():
        if options.get(option, wanted) != wanted:
            raise UserError(f"{name} has '{option}: {options[option]}', which is not supported; only '{wanted}' is.")
    decoder = options.get("transformer-decoder-autoreg", "self-attention")
    if decoder not in ("self-attention", "rnn") or (decoder == "rnn" and options.get("dec-cell") != "ssru"):
        raise UserError(
            f"{name} has a decoder of '{decoder}' with cells '{options.get('dec-cell')}'; only 'self-attention' and "
            "'rnn' with 'ssru' are supported."
        )
    activation = ACTIVATIONS.get(options.get("transformer-ffn-activation", "swish"))
    if activation is None:
        raise UserError(f"{name} has 'transformer-ffn-activation: {options['transformer-ffn-activation']}'.")
    heads, inner = options["transformer-heads"], options["transformer-dim-ffn"]
    return {
        "vocab_size": entries,
        "decoder_vocab_size": entries,
        "d_model": options["dim-emb"],
        "encoder_layers": options["enc-depth"],
        "decoder_layers": options["dec-depth"],
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_ffn_dim": inner,
        "decoder_ffn_dim": inner,
        "activation_function": activation,
        "max_position_embeddings": MAX_POSITIONS,
        "scale_embedding": True,
        "pad_token_id": entries - 1,
        "decoder_start_token_id": entries - 1,
        "eos_token_id": 0,
        "forced_eos_token_id": None,
        "dropout": 0.1,
    }


def _named_weights(
    read: MarianModel, keys: Mapping[str, Any], *, is_student: bool, name: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the weights by the names of transformers, matrices as (outputs, inputs).

    Raises:
        UserError: a weight is missing or has another shape, or some are left over.
    """
    left = dict(read.weights)
    width, inner = keys["d_model"], keys["encoder_ffn_dim"]

    def take(own: str, *shape: int) -> np.ndarray:
        if own not in left:
            raise UserError(f"{name} lacks the weights '{own}'; it is not whole.")
        array = left.pop(own)
        if array.size != int(np.prod(shape)) or (len(shape) == 2 and array.shape != shape):
            raise UserError(f"{name} has '{own}' of shape {array.shape}, but its options say {shape}.")
        return array if len(shape) == 2 else array.reshape(shape)

    def linear(own: str, bias: str | None, inputs: int, outputs: int) -> Iterator[tuple[str, np.ndarray]]:
        yield "weight", take(own, inputs, outputs).T
        if bias:
            yield "bias", take(bias, outputs)

    def norm(own: str) -> Iterator[tuple[str, np.ndarray]]:
        yield "weight", take(f"{own}_ln_scale", width)
        yield "bias", take(f"{own}_ln_bias", width)

    def attention(own: str) -> Iterator[tuple[str, np.ndarray]]:
        for matrix, projection in ATTENTION.items():
            bias = f"{own}_b{matrix[-1]}"
            yield from _under(projection, linear(f"{own}_{matrix}", bias, width, width))

    def feed_forward(own: str) -> Iterator[tuple[str, np.ndarray]]:
        yield from _under("fc1", linear(f"{own}_ffn_W1", f"{own}_ffn_b1", width, inner))
        yield from _under("fc2", linear(f"{own}_ffn_W2", f"{own}_ffn_b2", inner, width))
        yield from _under("final_layer_norm", norm(f"{own}_ffn_ffn"))

    def recurrence(own: str) -> Iterator[tuple[str, np.ndarray]]:
        yield from _under("input_proj", linear(f"{own}_rnn_W", None, width, width))
        yield from _under("forget_proj", linear(f"{own}_rnn_Wf", f"{own}_rnn_bf", width, width))

    embeddings = take(EMBEDDINGS, keys["vocab_size"] - 1, width)
    yield "model.shared.weight", np.concatenate([embeddings, np.zeros((1, width), np.float32)])
    bias = take(OUTPUT_BIAS, keys["vocab_size"] - 1) if OUTPUT_BIAS in left else np.zeros(keys["vocab_size"] - 1)
    yield "final_logits_bias", np.append(bias, bias.min()).astype(np.float32)[None]
    for number in range(keys["encoder_layers"]):
        own, layer = f"encoder_l{number + 1}", f"model.encoder.layers.{number}"
        yield from _under(f"{layer}.self_attn", attention(f"{own}_self"))
        yield from _under(f"{layer}.self_attn_layer_norm", norm(f"{own}_self_Wo"))
        yield from _under(layer, feed_forward(own))
    for number in range(keys["decoder_layers"]):
        own, layer = f"decoder_l{number + 1}", f"model.decoder.layers.{number}"
        yield from _under(f"{layer}.self_attn", recurrence(own) if is_student else attention(f"{own}_self"))
        yield from _under(f"{layer}.self_attn_layer_norm", norm(f"{own}_rnn_ffn" if is_student else f"{own}_self_Wo"))
        yield from _under(f"{layer}.encoder_attn", attention(f"{own}_context"))
        yield from _under(f"{layer}.encoder_attn_layer_norm", norm(f"{own}_context_Wo"))
        yield from _under(layer, feed_forward(own))
    if left:
        raise UserError(f"{name} has weights that its options do not speak of, such as '{next(iter(left))}'.")


def _under(module: str, weights: Iterator[tuple[str, np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
    return ((f"{module}.{key}", value) for key, value in weights)

"""Turn a model of Marian into a folder of transformers: config.json, weights, vocabulary and tokenizer.

A decoder of self-attention becomes a `MarianMTModel`, one of simple recurrent units a student (see
`mtpeft.models.student`). Marian has no padding and begins with a zero vector. Like the converter of transformers, this
one adds an entry `<pad>`, whose embedding is zero, as the last of the vocabulary; the decoder begins with it, and no
hypothesis may hold it.
"""

import json
import reprlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtpeft.core.errors import UserError
from mtpeft.core.files import new_folder, write_record, write_text
from mtpeft.models.families.student import KEPT_HEADS
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
ACTIVATIONS = {"relu": "relu", "swish": "swish", "gelu": "quick_gelu"}
"""Marian's gelu is a swish with a factor of 1.702 (marian-dev, `expression_operators.cpp`)."""
SIZES = ("dim-emb", "enc-depth", "dec-depth", "transformer-heads", "transformer-dim-ffn")
LARGEST_SIZE, SMALLEST_WIDTH = 2**20, 4
ATTENTION = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "out_proj"}
TIED_OR_COMPUTED = ("embed_tokens.weight", "lm_head.weight", "embed_positions.weight")
"""Ends of the names of weights that follow from others."""


def convert(model: Path, *, vocabulary: Path, folder: Path, key: str = "") -> None:
    """Write the folder of a model of Marian that has one vocabulary of sentencepiece for both sides.

    Args:
        model: `.npz` or `.bin`.
        vocabulary: the sentencepiece model, whose pieces are numbered as the entries of the model are.
        folder: what is written.
        key: of the configuration, where the files are temporary ones; messages then name it and the file.

    Raises:
        UserError: a file is wrong, the architecture is not one of those above, or the vocabulary is another model's.
    """
    names = {file: f"'{key}': {file.name}" if key else str(file) for file in (model, vocabulary)}
    read = read_marian(model, name=names[model])
    with new_folder(folder) as made:
        entries = write_tokenizer(vocabulary, made, name=names[vocabulary])
        embeddings = read.weights.get(EMBEDDINGS)
        rows = len(embeddings) if embeddings is not None and embeddings.ndim == 2 else 0
        if rows != entries - 1:
            raise UserError(
                f"{names[vocabulary]} has {entries - 1} pieces, but {model.name} has {rows} embeddings; use its own."
            )
        built = build(read, name=names[model], entries=entries)
        built.save_pretrained(made)


def write_tokenizer(vocabulary: Path, folder: Path, *, name: str = "") -> int:
    """Write the files of a `MarianTokenizer` with one sentencepiece model; returns the number of entries with `<pad>`.

    Messages call the sentencepiece model `name`.

    Raises:
        UserError: it is no sentencepiece model, or has no `</s>` and `<unk>` where Marian wants them.
    """
    import sentencepiece

    name = name or str(vocabulary)
    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{name} is no model of sentencepiece; write the one of the model of Marian.") from error
    pieces = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    if pieces[:2] != ["</s>", "<unk>"]:
        raise UserError(f"{name} begins with {pieces[:2]}, but vocabularies of Marian with '</s>' and '<unk>'.")
    if len(set(pieces)) != len(pieces) or PAD in pieces:
        raise UserError(f"{name} has a piece twice, or '{PAD}'; it is no vocabulary of Marian.")
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
    # Before the model is built, since options may promise one that no memory would hold.
    state = to_state(read, keys, is_student=is_student, name=name)
    model = StudentMTModel(StudentConfig(**keys)) if is_student else MarianMTModel(MarianConfig(**keys))
    model.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in state.items()}, strict=False)
    model.tie_weights()
    left_out = [key for key in model.state_dict() if key not in state and not key.endswith(TIED_OR_COMPUTED)]
    assert not left_out, f"{left_out[0]} has no name in Marian's files"
    model.generation_config.bad_words_ids = [[entries - 1]]
    return model.eval()


def _shown(value: Any) -> str:
    """Return a value of the options for a message, which aliases in YAML could make very long."""
    return str(value) if isinstance(value, bool | int | float) else reprlib.repr(value).strip("'")


def config_keys(options: Mapping[str, Any], *, name: str, entries: int) -> dict[str, Any]:
    """Return the keys of config.json that follow from Marian's options.

    Raises:
        UserError: the options say of the architecture what transformers' Marian and the students are not.
    """
    for option, wanted in REQUIRED.items():
        if options.get(option, wanted) != wanted:
            raise UserError(
                f"{name} has '{option}: {_shown(options[option])}', which is not supported; only '{wanted}' is."
            )
    decoder, cell = options.get("transformer-decoder-autoreg", "self-attention"), options.get("dec-cell")
    if decoder != "self-attention" and (decoder != "rnn" or cell != "ssru"):
        raise UserError(
            f"{name} has a decoder of '{_shown(decoder)}' with cells '{_shown(cell)}'; only 'self-attention' and 'rnn' "
            "with 'ssru' are supported."
        )
    given = options.get("transformer-ffn-activation", "swish")
    activation = ACTIVATIONS.get(given) if isinstance(given, str) else None
    if activation is None:
        known = ", ".join(ACTIVATIONS)
        raise UserError(f"{name} has 'transformer-ffn-activation: {_shown(given)}'; only {known} are supported.")
    for option in SIZES:
        size = options.get(option)
        if type(size) is not int or not 0 < size <= LARGEST_SIZE:
            raise UserError(f"{name} has '{option}: {_shown(size)}', where a number from 1 to {LARGEST_SIZE} belongs.")
    width, heads, inner = (options[option] for option in ("dim-emb", "transformer-heads", "transformer-dim-ffn"))
    if width % heads or width % 2 or width < SMALLEST_WIDTH:
        raise UserError(f"{name} has 'dim-emb: {width}' and 'transformer-heads: {heads}', which do not fit each other.")
    return {
        "vocab_size": entries,
        "decoder_vocab_size": entries,
        "d_model": width,
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


@dataclass(frozen=True)
class WeightName:
    """The two names of one array of weights.

    Attributes:
        marian: name in Marian's files.
        ours: name in the state of the model of transformers.
        shape: as Marian has it; matrices are (inputs, outputs), and transformers has them the other way round.
    """

    marian: str
    ours: str
    shape: tuple[int, ...]

    @property
    def is_matrix(self) -> bool:
        """Whether it is a matrix of a linear layer, which is transposed."""
        return self.shape[0] != 1


def weight_names(keys: Mapping[str, Any], *, is_student: bool) -> list[WeightName]:
    """Return the names of all weights of the layers, from the keys of config.json; embeddings are not among them."""
    width, inner = keys["d_model"], keys["encoder_ffn_dim"]
    found: list[WeightName] = []

    def linear(ours: str, marian: str, bias: str | None, *, inputs: int, outputs: int) -> None:
        found.append(WeightName(marian, f"{ours}.weight", (inputs, outputs)))
        if bias:
            found.append(WeightName(bias, f"{ours}.bias", (1, outputs)))

    def norm(ours: str, marian: str) -> None:
        found.append(WeightName(f"{marian}_ln_scale", f"{ours}.weight", (1, width)))
        found.append(WeightName(f"{marian}_ln_bias", f"{ours}.bias", (1, width)))

    def attention(ours: str, marian: str) -> None:
        for letter, projection in ATTENTION.items():
            names = f"{marian}_W{letter}", f"{marian}_b{letter}"
            linear(f"{ours}.{projection}", *names, inputs=width, outputs=width)
        norm(f"{ours}_layer_norm", f"{marian}_Wo")

    def recurrence(ours: str, marian: str) -> None:
        linear(f"{ours}.input_proj", f"{marian}_rnn_W", None, inputs=width, outputs=width)
        linear(f"{ours}.forget_proj", f"{marian}_rnn_Wf", f"{marian}_rnn_bf", inputs=width, outputs=width)
        norm(f"{ours}_layer_norm", f"{marian}_rnn_ffn")

    def feed_forward(ours: str, marian: str) -> None:
        linear(f"{ours}.fc1", f"{marian}_ffn_W1", f"{marian}_ffn_b1", inputs=width, outputs=inner)
        linear(f"{ours}.fc2", f"{marian}_ffn_W2", f"{marian}_ffn_b2", inputs=inner, outputs=width)
        norm(f"{ours}.final_layer_norm", f"{marian}_ffn_ffn")

    for side in ("encoder", "decoder"):
        for number in range(keys[f"{side}_layers"]):
            ours, marian = f"model.{side}.layers.{number}", f"{side}_l{number + 1}"
            if is_student and side == "decoder":
                recurrence(f"{ours}.self_attn", marian)
            else:
                attention(f"{ours}.self_attn", f"{marian}_self")
            if side == "decoder":
                attention(f"{ours}.encoder_attn", f"{marian}_context")
            feed_forward(ours, marian)
    return found


def to_state(read: MarianModel, keys: Mapping[str, Any], *, is_student: bool, name: str) -> dict[str, np.ndarray]:
    """Return the state of the model of transformers, by its names.

    Raises:
        UserError: a weight is missing or has another shape than the options say, or some are left over.
    """
    left = dict(read.weights)

    def take(own: str, shape: tuple[int, ...]) -> np.ndarray:
        if own not in left:
            raise UserError(f"{name} lacks the weights '{own}'; it is not whole.")
        array = left.pop(own)
        if array.shape not in (shape, shape[1:] if shape[0] == 1 else shape):
            raise UserError(f"{name} has '{own}' of shape {array.shape}, but its options say {shape}.")
        return array.reshape(shape)

    known = keys["vocab_size"] - 1
    embeddings = take(EMBEDDINGS, (known, keys["d_model"]))
    bias = take(OUTPUT_BIAS, (1, known)) if OUTPUT_BIAS in left else np.zeros((1, known), np.float32)
    state = {
        "model.shared.weight": np.concatenate([embeddings, np.zeros_like(embeddings[:1])]),
        "final_logits_bias": np.concatenate([bias, bias.min(1, keepdims=True)], 1),
    }
    for own in weight_names(keys, is_student=is_student):
        array = take(own.marian, own.shape)
        state[own.ours] = array.T if own.is_matrix else array[0]
    if left:
        raise UserError(f"{name} has weights that its options do not speak of, such as '{next(iter(left))}'.")
    return state


def to_marian(model: "PreTrainedModel") -> MarianModel:
    """Return a Marian model or a student of transformers as Marian stores it, without the entry `<pad>`.

    Raises:
        UserError: `<pad>` is not the last entry, since others were added, or heads were pruned.
    """
    keys = model.config.to_dict()
    if keys.get(KEPT_HEADS) not in (None, keys["encoder_attention_heads"]):
        raise UserError("The heads of Marian always fill its width, so a model without some can't be written.")
    if keys["pad_token_id"] != keys["vocab_size"] - 1:
        raise UserError("Marian has no entries behind '<pad>', so a model with a larger vocabulary can't be written.")
    is_student = keys["model_type"] == "student"
    state = {key: value.detach().float().cpu().numpy() for key, value in model.state_dict().items()}
    weights = {EMBEDDINGS: state["model.shared.weight"][:-1], OUTPUT_BIAS: state["final_logits_bias"][:, :-1]}
    for own in weight_names(keys, is_student=is_student):
        array = state[own.ours]
        weights[own.marian] = np.ascontiguousarray(array.T if own.is_matrix else array[None])
    return MarianModel(options_of(keys, is_student=is_student), weights)


def options_of(keys: Mapping[str, Any], *, is_student: bool) -> dict[str, Any]:
    """Return Marian's options of a model, from its config.json."""
    known = keys["vocab_size"] - 1
    activations = {ours: marian for marian, ours in ACTIVATIONS.items()}
    decoder = {"transformer-decoder-autoreg": "rnn", "dec-cell": "ssru"} if is_student else {}
    return {
        **REQUIRED,
        "transformer-decoder-autoreg": "self-attention",
        **decoder,
        "dim-emb": keys["d_model"],
        "dim-vocabs": [known, known],
        "enc-depth": keys["encoder_layers"],
        "dec-depth": keys["decoder_layers"],
        "transformer-heads": keys["encoder_attention_heads"],
        "transformer-dim-ffn": keys["encoder_ffn_dim"],
        "transformer-ffn-activation": activations[keys["activation_function"]],
        "version": "v1.9.56",
    }

"""Marian's own files: read, turned into models of transformers, and written again."""

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer
from transformers.activations import ACT2FN

from mtpeft.core.errors import UserError
from mtpeft.models.load import load_base, random_model
from mtpeft.models.marian_conversion import config_keys, convert, to_marian
from mtpeft.models.marian_files import OPTIONS, MarianModel, nearest_int8, read_marian, write_int8, write_marian
from support.family import build_checkpoint

DECODERS = ("student", "marian")


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentencepiece model with the special tokens of Marian's vocabularies."""
    return build_checkpoint("student", tmp_path_factory.mktemp("student")) / "source.spm"


@pytest.fixture(scope="module", params=DECODERS)
def stored(request: pytest.FixtureRequest, vocabulary: Path, tmp_path_factory: pytest.TempPathFactory) -> MarianModel:
    """A tiny model as Marian stores it, with biases and norms that are no defaults."""
    entries = len(AutoTokenizer.from_pretrained(vocabulary.parent))
    student = load_base(vocabulary.parent)
    config = student.config.to_dict() | {"model_type": request.param, "vocab_size": entries}
    model = random_model(config, seed=5)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "positions" not in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        model.final_logits_bias.copy_(torch.randn(model.final_logits_bias.shape, generator=generator))
    return to_marian(model)


def _activations(stored: MarianModel) -> dict[str, float]:
    """A largest input for each matrix, as if each had seen another."""
    matrices = (name for name, array in stored.weights.items() if array.ndim == 2 and array.shape[0] > 1)
    return {name: 3.0 + number for number, name in enumerate(matrices)}


@pytest.mark.parametrize("ending", [".npz", ".bin"])
def test_a_model_that_is_written_is_read_bit_for_bit(stored: MarianModel, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"model{ending}"
    write_marian(stored, file)

    read = read_marian(file)

    assert dict(read.options) == dict(stored.options)
    assert read.weights.keys() == stored.weights.keys()
    assert all(np.array_equal(read.weights[name], array) for name, array in stored.weights.items())


def test_int8_loses_no_more_than_by_steps_up_to_the_largest_weight(stored: MarianModel, tmp_path: Path) -> None:
    write_int8(stored, tmp_path / "model.bin", _activations(stored))

    read = read_marian(tmp_path / "model.bin")

    for name, array in stored.weights.items():
        step = np.abs(array).max() / 127 if array.ndim == 2 and array.shape[0] > 1 else 1e-30
        plain = np.rint(array / step) * step
        assert np.square(read.weights[name] - array).sum() <= np.square(plain - array).sum() * 1.001


def test_a_model_that_was_int8_before_loses_nothing(stored: MarianModel, tmp_path: Path) -> None:
    for file in ("once.bin", "twice.bin"):
        write_int8(stored, tmp_path / file, _activations(stored))
        stored = read_marian(tmp_path / file)
    once, twice = (read_marian(tmp_path / file).weights for file in ("once.bin", "twice.bin"))
    assert all(np.allclose(once[name], array, rtol=1e-6) for name, array in twice.items())


def test_a_few_large_weights_are_clipped() -> None:
    array = np.random.default_rng(3).standard_normal((1000, 400)).astype(np.float32)
    array[0, 0] = 12.0
    values, multiplier = nearest_int8(array)
    assert multiplier > 127 / 12 * 1.5
    assert np.abs(values[1:] / multiplier - array[1:]).mean() < 12 / 127 / 4 / 1.5


def test_what_was_converted_is_the_same_model_when_it_is_turned_back(
    stored: MarianModel, vocabulary: Path, tmp_path: Path
) -> None:
    write_marian(stored, tmp_path / "model.npz")

    convert(tmp_path / "model.npz", vocabulary=vocabulary, folder=tmp_path / "folder")

    model = load_base(tmp_path / "folder").eval()
    again = to_marian(model)
    assert dict(again.options) == dict(stored.options)
    assert all(np.array_equal(again.weights[name], array) for name, array in stored.weights.items())
    pad = model.config.pad_token_id
    assert (pad, model.config.decoder_start_token_id) == (model.config.vocab_size - 1,) * 2
    tokens = AutoTokenizer.from_pretrained(tmp_path / "folder")(["Abre la puerta", "Cierra"], padding=True)
    made = model.generate(torch.tensor(tokens["input_ids"]), num_beams=2, max_new_tokens=12)
    assert not (made[:, 1:-1] == pad).all(1).any()


def reference(weights: dict[str, np.ndarray], tokens: list[int], targets: list[int], *, heads: int, depth: int) -> Any:
    """Logits of a student by Marian's formulas, one position after the other, in numpy alone."""
    width = weights["Wemb"].shape[1]

    def positions(number: int) -> np.ndarray:
        half = width // 2
        angles = number * np.exp(np.arange(half) * -(np.log(10000.0) / (half - 1)))
        return np.concatenate([np.sin(angles), np.cos(angles)])

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * weights[f"{name}_ln_scale"] + weights[f"{name}_ln_bias"]

    def attend(name: str, x: np.ndarray, memory: np.ndarray) -> np.ndarray:
        q, k, v = (
            (own @ weights[f"{name}_W{letter}"] + weights[f"{name}_b{letter}"]).reshape(len(own), heads, -1)
            for letter, own in (("q", x), ("k", memory), ("v", memory))
        )
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(width / heads)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.einsum("hqk,khd->qhd", shares / shares.sum(-1, keepdims=True), v).reshape(len(x), width)
        return mixed @ weights[f"{name}_Wo"] + weights[f"{name}_bo"]

    def feed(name: str, x: np.ndarray) -> np.ndarray:
        inner = np.maximum(x @ weights[f"{name}_ffn_W1"] + weights[f"{name}_ffn_b1"], 0)
        return norm(f"{name}_ffn_ffn", x + inner @ weights[f"{name}_ffn_W2"] + weights[f"{name}_ffn_b2"])

    x = np.stack([weights["Wemb"][token] * np.sqrt(width) + positions(n) for n, token in enumerate(tokens)])
    for layer in range(1, depth + 1):
        own = f"encoder_l{layer}"
        x = feed(own, norm(f"{own}_self_Wo", x + attend(f"{own}_self", x, x)))
    read = [np.zeros(width), *(weights["Wemb"][token] for token in targets[:-1])]
    y = np.stack([vector * np.sqrt(width) + positions(n) for n, vector in enumerate(read)])
    for layer in range(1, depth + 1):
        own, state, outputs = f"decoder_l{layer}", np.zeros(width), []
        for row in y:
            forget = 1 / (1 + np.exp(-(row @ weights[f"{own}_rnn_Wf"] + weights[f"{own}_rnn_bf"][0])))
            state = forget * state + (1 - forget) * (row @ weights[f"{own}_rnn_W"])
            outputs.append(np.maximum(state, 0))
        y = norm(f"{own}_rnn_ffn", y + np.stack(outputs))
        y = feed(own, norm(f"{own}_context_Wo", y + attend(f"{own}_context", y, x)))
    return y @ weights["Wemb"].T + weights["decoder_ff_logit_out_b"]


def test_a_student_computes_what_marians_formulas_say(vocabulary: Path, tmp_path: Path) -> None:
    model = load_base(vocabulary.parent).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(0.05 * ("positions" not in name))
        model.model.shared.weight[-1] = 3.0  # the decoder begins with a zero vector whatever training did to this row
    stored = to_marian(model)
    tokens, targets = [5, 9, 12, 7, 0], [8, 6, 11, 0]
    begin = [model.config.decoder_start_token_id, *targets[:-1]]

    with torch.no_grad():
        found = model(input_ids=torch.tensor([tokens]), decoder_input_ids=torch.tensor([begin])).logits[0, :, :-1]

    weights = {name: array.astype(np.float64) for name, array in stored.weights.items()}
    config = model.config
    expected = reference(weights, tokens, targets, heads=config.encoder_attention_heads, depth=config.encoder_layers)
    assert found.numpy() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def _cut(file: Path, stored: MarianModel) -> None:
    file.write_bytes(file.read_bytes()[:-5000])


def _another_version(file: Path, stored: MarianModel) -> None:
    file.write_bytes(b"\x02" + file.read_bytes()[1:])


def _text(file: Path, stored: MarianModel) -> None:
    file.write_text("<html>not found</html>")


def _twice(file: Path, stored: MarianModel) -> None:
    file.write_bytes(file.read_bytes().replace(b"encoder_l1_self_Wk\0", b"encoder_l1_self_Wq\0"))


def _endless_scale(file: Path, stored: MarianModel) -> None:
    write_int8(stored, file, _activations(stored))
    content = bytearray(file.read_bytes())
    first = content.index(nearest_int8(stored.weights["Wemb"])[1].tobytes())
    content[first : first + 4] = np.float32(np.inf).tobytes()
    file.write_bytes(bytes(content))


def _deep(file: Path, stored: MarianModel) -> None:
    write_marian(stored, file)
    own = file.read_bytes()
    start = own.index(b"dec-depth")
    file.write_bytes(own[:start] + b"[" * 200 + own[start + 200 :])


def _empty(file: Path, stored: MarianModel) -> None:
    file.write_bytes(b"")


def _with(**options: Any) -> Callable[[Path, MarianModel], None]:
    return lambda file, stored: write_marian(replace(stored, options={**stored.options, **options}), file)


def _without(name: str) -> Callable[[Path, MarianModel], None]:
    def write(file: Path, stored: MarianModel) -> None:
        write_marian(replace(stored, weights={key: own for key, own in stored.weights.items() if key != name}), file)

    return write


def _changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, MarianModel], None]:
    return lambda file, stored: write_marian(
        replace(stored, weights={**stored.weights, name: change(stored.weights[name])}), file
    )


WRONG: dict[str, tuple[Callable[[Path, MarianModel], None], str]] = {
    "cut": (_cut, "is not a whole model as Marian writes it (it is cut); get it anew"),
    "another version": (_another_version, "(it begins with version 2 and"),
    "a page": (_text, "is not a whole model as Marian writes it (it begins with version"),
    "a name twice": (_twice, "'encoder_l1_self_Wq' stands twice"),
    "an endless scale": (_endless_scale, "has the multiplier inf"),
    "no YAML": (_deep, "is not a whole model as Marian writes it ("),
    "no heads": (_with(**{"transformer-heads": None}), "has 'transformer-heads: None', where a number from 1 to"),
    "words for a number": (_with(**{"dim-emb": "two"}), "has 'dim-emb: two', where a number from 1 to"),
    "a huge layer": (
        _with(**{"transformer-dim-ffn": 10**13}),
        "has 'transformer-dim-ffn: 10000000000000', where a ",
    ),
    "heads that do not divide": (_with(**{"transformer-heads": 3}), "which do not fit each other"),
    "another activation": (
        _with(**{"transformer-ffn-activation": ["relu"]}),
        "has 'transformer-ffn-activation: ['relu",
    ),
    "empty": (_empty, "is not a whole model as Marian writes it ("),
    "a recurrent network": (_with(type="s2s"), "has 'type: s2s', which is not supported; only 'transformer' is"),
    "norms before": (
        _with(**{"transformer-preprocess": "n"}),
        "has 'transformer-preprocess: n', which is not sup",
    ),
    "other cells": (_with(**{"dec-cell": "gru", "transformer-decoder-autoreg": "rnn"}), "with cells 'gru'; only"),
    "another depth": (_with(**{"enc-depth": 3}), "lacks the weights 'encoder_l3_self_Wq'; it is not whole"),
    "less depth": (_with(**{"enc-depth": 1}), "has weights that its options do not speak of, such as 'encoder_l2_"),
    "another width": (_with(**{"transformer-dim-ffn": 50}), "of shape (32, 48), but its options say (32, 50)"),
    "no norm": (_without("encoder_l1_ffn_ffn_ln_scale"), "lacks the weights 'encoder_l1_ffn_ffn_ln_scale'"),
    "no number": (
        _changed("encoder_l1_self_Wq", lambda own: own * np.nan),
        "has values that are no finite numbers",
    ),
    "another vocabulary": (_changed("Wemb", lambda own: own[:-3]), "pieces, but"),
}
"""What is done to a file, and what is said of it."""


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-2000],
        lambda content: content[:3000] + b"damaged" + content[3007:],
        lambda content: b"\x93NUMPY" + content,
        lambda content: b"",
    ],
    ids=["cut", "changed", "no archive", "empty"],
)
def test_a_damaged_npz_is_refused_in_a_sentence(
    damage: Callable[[bytes], bytes], stored: MarianModel, tmp_path: Path
) -> None:
    file = tmp_path / "model.npz"
    write_marian(stored, file)
    file.write_bytes(damage(file.read_bytes()))

    with pytest.raises(UserError, match=r"model\.npz is not a whole model as Marian writes it \(.+\); get it anew"):
        read_marian(file)


def test_a_header_that_promises_terabytes_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.npz", "w") as archive, archive.open("Wemb.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": (10**13,)})

    with pytest.raises(UserError, match="is not a whole model as Marian writes it"):
        read_marian(tmp_path / "model.npz")


def test_marians_gelu_is_a_swish(stored: MarianModel) -> None:
    keys = config_keys({**stored.options, "transformer-ffn-activation": "gelu"}, name="model", entries=50)
    x = torch.linspace(-3, 3, 20)
    assert ACT2FN[keys["activation_function"]](x).numpy() == pytest.approx((x * torch.sigmoid(1.702 * x)).numpy())


def test_a_static_cache_gives_the_same_translation(vocabulary: Path) -> None:
    model = load_base(vocabulary.parent).eval()
    tokens = torch.tensor([[5, 9, 12, 7, 0], [8, 6, 11, 4, 0]])
    made = [
        model.generate(tokens, max_new_tokens=10, min_new_tokens=10, cache_implementation=own, disable_compile=True)
        for own in ("dynamic", "static")
    ]
    assert torch.equal(*made)


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_not_as_it_should_be_is_refused_in_a_sentence(
    case: str, stored: MarianModel, vocabulary: Path, tmp_path: Path
) -> None:
    change, said = WRONG[case]
    file = tmp_path / "model.bin"
    write_marian(stored, file)
    change(file, stored)

    with pytest.raises(UserError) as raised:
        convert(file, vocabulary=vocabulary, folder=tmp_path / "folder")

    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_options_are_read_from_the_file_itself(stored: MarianModel, tmp_path: Path) -> None:
    write_marian(stored, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as archive:
        assert OPTIONS in archive.files
        assert archive[OPTIONS].tobytes().decode().startswith("dec-")

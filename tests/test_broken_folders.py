"""Every family's checkpoint is taken in as it is, and refused with one sentence in each form in which it is broken."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from family_material import CHECKPOINTS, build_checkpoint
from mtpeft.errors import UserError
from mtpeft.models.load import load_base, parameters
from mtpeft.models.local import describe_local
from mtpeft.records import read_record
from mtpeft.tokens.codec import load_tokenizer

Break = Callable[[Path], object]
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
BART, T5 = ("mbart25", "mbart50", "m2m100", "nllb", "marian_multi"), ("t5", "t5_1.1", "mt5")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint of every family."""
    folder = tmp_path_factory.mktemp("whole")
    for name in CHECKPOINTS:
        build_checkpoint(name, folder / name)
    return folder


def _take_in(folder: Path) -> dict[str, Any]:
    record = folder.parent / "results/models/own/base.json"
    describe_local({"recipe": 1, "path": str(folder)}, record=record)
    return read_record(record)


def _keys(name: str, **keys: Any) -> Break:
    def change(folder: Path) -> None:
        file = folder / name
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        content |= keys
        file.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))

    return change


def _config(**keys: Any) -> Break:
    return _keys("config.json", **keys)


def _text(name: str, content: str | bytes) -> Break:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _encoded(name: str, encoding: str) -> Break:
    return lambda folder: (folder / name).write_text((folder / name).read_text(), encoding=encoding)


def _without(*names: str) -> Break:
    return lambda folder: [(folder / name).unlink() for name in names]


def _weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], **metadata: str) -> Break:
    def write(folder: Path) -> None:
        changed = {name: tensor.contiguous() for name, tensor in change(load_file(folder / WEIGHTS)).items()}
        save_file(changed, folder / WEIGHTS, metadata or {"format": "pt"})

    return write


def _renamed(change: Callable[[str], str]) -> Break:
    return _weights(lambda weights: {change(name): tensor for name, tensor in weights.items()})


def _first(ending: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Break:
    """Change the first tensor whose name ends so."""

    def changed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        name = next(name for name in sorted(weights) if name.endswith(ending))
        return weights | {name: change(weights[name])}

    return _weights(changed)


def _cut(share: float, name: str = WEIGHTS) -> Break:
    def write(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return write


def _in_two(folder: Path) -> None:
    """Put the weights into two files with an index, as large models have them."""
    weights = load_file(folder / WEIGHTS)
    names = sorted(weights)
    places = {name: f"model-0000{1 + (place >= 20)}-of-00002.safetensors" for place, name in enumerate(names)}
    for file in set(places.values()):
        part = {name: weights[name] for name in names if places[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def _then(*steps: Break) -> Break:
    return lambda folder: [step(folder) for step in steps]


def _add_token(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<extra>"], special_tokens=True)
    tokenizer.save_pretrained(folder)


def _pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def _file_for_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("{}")


def _loop(name: str) -> Break:
    return lambda folder: [(folder / name).unlink(), (folder / name).symlink_to(folder / name)]


def _folder_for(name: str) -> Break:
    return lambda folder: [(folder / name).unlink(), (folder / name).mkdir()]


def _to_int8(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor * 10).to(torch.int8)


def _with_nan(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.index_fill(0, torch.tensor([0]), float("nan"))


CONFIG = {
    "width of text": (_config(d_model="32"), r"config\.json: 'd_model' is '32'; write a whole number"),
    "width of another number": (_config(d_model=64), r"of the shape .*32.* but by .*config\.json it has .*64"),
    "width of a float": (_config(d_model=32.0), r"'d_model' is 32\.0; write a whole number"),
    "width true": (_config(d_model=True), r"'d_model' is true; write a whole number"),
    "width null": (_config(d_model=None), r"'d_model' is null"),
    "width huge": (_config(d_model=10**30), r"'d_model' is 10+; write a number from 1 to"),
    "width that is longer than a number can be": (
        _text("config.json", '{"d_model": ' + "9" * 5000 + "}"),
        r"config\.json",
    ),
    "width in a list": (_config(d_model=[32]), r"'d_model' is \[32\]"),
    "no entries": (_config(vocab_size=0), r"'vocab_size' is 0; write a number from 1"),
    "fewer entries": (_config(vocab_size=350), r"'vocab_size' in .*config\.json .* 350 rows|'\w+_token_id' is"),
    "more entries": (_config(vocab_size=900), r"shape .*900"),
    "entries negative": (_config(vocab_size=-5), r"'vocab_size' is -5"),
    "entries missing": (_config(vocab_size=...), r"no key 'vocab_size'"),
    "padding beyond the entries": (_config(pad_token_id=99_999), r"'pad_token_id' is 99999, but the vocabulary has"),
    "padding negative": (_config(pad_token_id=-1), r"'pad_token_id' is -1"),
    "padding of text": (_config(pad_token_id="1"), r"'pad_token_id' is '1'; write the number of one entry"),
    "another padding": (_config(pad_token_id=7), r"'pad_token_id' is 7, but the tokenizer beside it has"),
    "padding null": (_config(pad_token_id=None), r"has no 'pad_token_id'"),
    "another end": (_config(eos_token_id=9), r"'eos_token_id' is 9, but the tokenizer"),
    "ends in a list": (_config(eos_token_id=[1, 2]), r"'eos_token_id' is \[1, 2\]"),
    "end null": (_config(eos_token_id=None), r"has no 'eos_token_id'"),
    "start beyond the entries": (_config(decoder_start_token_id=10**9), r"'decoder_start_token_id' is 1000000000"),
    "start of text": (_config(decoder_start_token_id="</s>"), r"'decoder_start_token_id' is '</s>'"),
    "no type": (_config(model_type=...), r"model_type 'None', which is not supported"),
    "type of another kind": (_config(model_type=7), r"'model_type' is 7; write a name"),
    "unknown type": (_config(model_type="opus"), r"model_type 'opus', which is not supported"),
    "decoder alone": (_config(model_type="llama"), r"model_type 'llama', which is not supported"),
    "ties of text": (_config(tie_word_embeddings="no"), r"'tie_word_embeddings' is 'no'; write true or false"),
    "quantised": (_config(quantization_config={"load_in_8bit": True}), r"'quantization_config' says"),
    "start in the generation's settings beyond the entries": (
        _keys("generation_config.json", decoder_start_token_id=99_999),
        r"generation_config\.json: 'decoder_start_token_id' is 99999",
    ),
}
FILES = {
    "UTF-16": (_encoded("config.json", "utf-16"), r"config\.json is in UTF-16"),
    "byte order mark": (_encoded("config.json", "utf-8-sig"), r"config\.json is in UTF-8 with a byte order mark"),
    "Latin-1": (_text("config.json", '{"name": "español"}'.encode("latin-1")), r"config\.json, line 1 is not in UTF-8"),
    "a list": (_text("config.json", "[1, 2]"), r"config\.json must hold one JSON object in braces; it holds a list"),
    "empty": (_text("config.json", ""), r"config\.json, line 1 is not valid JSON"),
    "binary": (_text("config.json", bytes(range(256))), r"config\.json"),
    "a key twice": (_text("config.json", '{"model_type": "t5",\n"model_type": "mbart"}'), r"key 'model_type' twice"),
    "NaN": (_text("config.json", '{"dropout": NaN}'), r"config\.json .* holds NaN"),
    "deeply nested": (_text("config.json", "[" * 100_000), r"config\.json .* nested too deeply"),
    "config.json is a folder": (_folder_for("config.json"), r"has no config\.json"),
    "config.json is a loop": (_loop("config.json"), r"has no config\.json"),
    "weights are a loop": (_loop(WEIGHTS), r"no \*\.safetensors weights"),
    "weights are a folder": (_folder_for(WEIGHTS), r"no \*\.safetensors weights"),
    "a file": (_file_for_folder, r"'models\.own\.path' is '.*', which is a file; write the folder"),
    "tokenizer in UTF-16": (_encoded("tokenizer_config.json", "utf-16"), r"tokenizer_config\.json is in UTF-16"),
    "tokenizer no JSON": (_text("tokenizer_config.json", "{"), r"tokenizer_config\.json, line 1 is not valid JSON"),
    "tokenizer a list": (_text("tokenizer_config.json", "[]"), r"tokenizer_config\.json must hold one JSON object"),
    "generation no JSON": (_text("generation_config.json", "{,}"), r"generation_config\.json, line 1"),
    "no tokenizer": (_without("tokenizer_config.json"), r"that folder has no tokenizer"),
    "tokenizer unknown": (_keys("tokenizer_config.json", tokenizer_class="BertTokenizer"), r"class 'BertTokenizer'"),
    "token added": (_add_token, r"has the token '<extra>' with the number \d+, but by 'vocab_size'"),
    "adapter beside it": (_text("adapter_config.json", "{}"), r"holds an adapter and not a whole model"),
    "adapter alone": (
        _then(_without("config.json"), _text("adapter_config.json", "{}")),
        r"has no config\.json; it holds an adapter",
    ),
}
TENSORS = {
    "module.": (_renamed(lambda name: f"module.{name}"), r"have names such as 'module\..*; take 'module\.' off"),
    "base_model.model.": (
        _renamed(lambda name: f"base_model.model.{name}"),
        r"have names such as 'base_model\.model\..*; take 'base_model\.model\.' off",
    ),
    "net.": (_renamed(lambda name: f"net.{name}"), r"have names such as 'net\..*; take 'net\.' off"),
    "other names": (_renamed(lambda name: name.replace("layer", "couche")), r"lack '|have names such as"),
    "a layer less": (
        _weights(lambda all_: {name: held for name, held in all_.items() if ".1." not in name or "encoder" in name}),
        r"lack '.*decoder.* and \d+ more",
    ),
    "one tensor less": (
        _weights(lambda all_: {name: all_[name] for name in sorted(all_)[1:]}),
        r"lack '\S+', which a model of type",
    ),
    "one tensor more": (
        _weights(lambda all_: all_ | {"classification_head.weight": torch.zeros(2)}),
        r"holds 'classification_head\.weight', for which there is no place",
    ),
    "another shape": (_first("norm.weight", lambda tensor: torch.ones(31)), r"of the shape \[31\], but by .* \[32\]"),
    "turned": (_first("shared.weight", lambda tensor: tensor.T), r"of the shape"),
    "8-bit integers": (_first("norm.weight", _to_int8), r"in numbers of type I8; use a checkpoint of whole weights"),
    "NaN": (_first("norm.weight", _with_nan), r"with numbers that are NaN or infinite"),
    "for TensorFlow": (_weights(dict, format="tf"), r"was written for 'tf' and not for PyTorch"),
    "half a file": (_cut(0.5), r"model\.safetensors is no whole safetensors file"),
    "empty file": (_cut(0), r"model\.safetensors is no whole safetensors file"),
    "head of a file": (_cut(0.001), r"model\.safetensors is no whole safetensors file"),
    "none": (_without(WEIGHTS), r"no \*\.safetensors weights under the name model\.safetensors"),
    "pickled": (_pickled, r"no \*\.safetensors weights .*, such as pytorch_model\.bin"),
    "second file missing": (
        _then(_in_two, _without("model-00002-of-00002.safetensors")),
        r"index\.json names model-00002-of-00002\.safetensors, which is not there",
    ),
    "index outside": (
        _then(_without(WEIGHTS), _keys(INDEX, weight_map={"lm_head.weight": "../model.safetensors"})),
        r"names \.\./model\.safetensors, which is not there",
    ),
    "index without a map": (_then(_without(WEIGHTS), _text(INDEX, '{"metadata": {}}')), r"has no 'weight_map'"),
    "index with a list": (_then(_without(WEIGHTS), _text(INDEX, "[]")), r"index\.json must hold one JSON object"),
    "index says otherwise": (
        _then(
            _in_two,
            lambda folder: _keys(
                INDEX,
                weight_map=json.loads((folder / INDEX).read_text())["weight_map"]
                | {"x": "model-00001-of-00002.safetensors"},
            )(folder),
        ),
        r"says that model-00001-of-00002\.safetensors holds 'x', but it does not",
    ),
}
OF_BART = {
    "heads that do not divide": (
        _config(encoder_attention_heads=5),
        r"'d_model' is 32, which 5 heads .* do not divide",
    ),
    "no heads": (_config(decoder_attention_heads=0), r"'decoder_attention_heads' is 0"),
    "a layer more": (_config(encoder_layers=3), r"lack 'model\.encoder\.layers\.2\..*' and \d+ more"),
    "fewer layers": (_config(decoder_layers=1), r"holds 'model\.decoder\.layers\.1\..*' and \d+ more, for which"),
    "layers of a float": (_config(encoder_layers=2.5), r"'encoder_layers' is 2\.5"),
    "layers null": (_config(decoder_layers=None), r"'decoder_layers' is null"),
    "a million layers": (_config(encoder_layers=10**6), r"'encoder_layers' is 1000000"),
    "another inner width": (_config(encoder_ffn_dim=96), r"of the shape"),
    "dropout of text": (_config(dropout="0.1"), r"'dropout' is '0\.1'; write a probability"),
    "dropout 2": (_config(dropout=2), r"'dropout' is 2; write a probability"),
    "positions negative": (_config(max_position_embeddings=-1), r"'max_position_embeddings' is -1"),
    "positions huge": (_config(max_position_embeddings=10**9), r"'max_position_embeddings' is 1000000000"),
    "unknown activation": (_config(activation_function="gulu"), r"config\.json"),
    "deviation zero": (_config(init_std=0), r"'init_std' is 0; write a number above 0"),
    "not tied": (_config(tie_word_embeddings=False), r"tie_word_embeddings false; use a model that shares"),
    "another output projection": (
        _weights(lambda all_: all_ | {"lm_head.weight": all_["model.shared.weight"] + 1}),
        r"'lm_head\.weight' and 'model\.shared\.weight' are one matrix, but the two are not equal",
    ),
    "of T5": (_config(model_type="t5"), r"config\.json.* no key|supported together"),
}
OF_T5 = {
    "a block more": (_config(num_layers=3), r"lack '"),
    "fewer blocks": (
        _config(num_layers=1, num_decoder_layers=1),
        r"holds '.*block\.1\..*', for which|and \d+ more, for",
    ),
    "other heads": (_config(num_heads=4), r"of the shape"),
    "feed-forward of a number": (_config(feed_forward_proj=3), r"'feed_forward_proj' is 3; write a name"),
    "unknown feed-forward": (_config(feed_forward_proj="gated-gated-x"), r"config\.json"),
    "sizes huge": (_config(d_ff=10**12), r"'d_ff' is 1000000000000"),
    "model.": (_renamed(lambda name: f"model.{name}"), r"have names such as 'model\..*; take 'model\.' off"),
}
TOKENIZER_FILES = {
    "mbart25": ("sentencepiece.bpe.model",),
    "mbart50": ("sentencepiece.bpe.model",),
    "m2m100": ("vocab.json", "sentencepiece.bpe.model"),
    "nllb": ("sentencepiece.bpe.model",),
    "marian_multi": ("vocab.json", "source.spm", "target.spm"),
    "t5": ("spiece.model",),
    "t5_1.1": ("spiece.model",),
    "mt5": ("spiece.model",),
}
NO_START = _then(_config(decoder_start_token_id=...), _without("generation_config.json"))
CASES = [
    *((family, "no start", (NO_START, r"has no 'decoder_start_token_id'")) for family in ("t5", "t5_1.1")),
    (
        "mbart50",
        "start null",
        (_then(_config(decoder_start_token_id=None), _without("generation_config.json")), "no 'decoder_start"),
    ),
    *((family, *case) for family in ("mbart50", "nllb", "marian_multi", "t5") for case in (CONFIG | {}).items()),
    *((family, *case) for family in ("mbart25", "t5_1.1") for case in FILES.items()),
    *((family, *case) for family in ("m2m100", "mt5", "marian") for case in TENSORS.items()),
    *((family, *case) for family in BART for case in OF_BART.items()),
    *((family, *case) for family in T5 for case in OF_T5.items()),
    *(
        (family, f"no {name}", (_without(name), rf"{name}|tokenizer .* can't be opened"))
        for family, names in TOKENIZER_FILES.items()
        for name in names
    ),
    *(
        (family, f"{what} {name}", (_text(name, content), rf"{name}|tokenizer in .* can't be opened"))
        for family, names in TOKENIZER_FILES.items()
        for name in names
        for what, content in (("empty", ""), ("broken", b"\x0a\xff\xfe broken"))
    ),
    *(
        (family, f"half of {name}", (_cut(0.5, name), rf"{name}|tokenizer in .* can't be opened"))
        for family, names in TOKENIZER_FILES.items()
        for name in names
    ),
]


@pytest.mark.parametrize(("family", "label", "case"), CASES, ids=[f"{family}: {label}" for family, label, _ in CASES])
def test_a_broken_folder_is_refused_with_a_sentence(
    checkpoints: Path, tmp_path: Path, family: str, label: str, case: tuple[Break, str]
) -> None:
    folder = Path(shutil.copytree(checkpoints / family, tmp_path / "mine"))
    change, sentence = case
    change(folder)
    with pytest.raises(UserError, match=sentence) as told:
        _take_in(folder)
    assert str(told.value).endswith((".", "?"))
    assert "\n" not in str(told.value)
    assert str(folder) in str(told.value)


def _spare_rows(folder: Path) -> None:
    """Eight rows more than there are tokens, as published models have them to fill up a round number."""

    def longer(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if name == "final_logits_bias":
            return torch.cat([tensor, tensor.new_zeros(1, 8)], dim=1)
        is_matrix = name.endswith(("shared.weight", "lm_head.weight", "embed_tokens.weight"))
        return torch.cat([tensor, tensor.new_zeros(8, tensor.shape[1])]) if is_matrix else tensor

    entries = json.loads((folder / "config.json").read_text())["vocab_size"] + 8
    _weights(lambda all_: {name: longer(name, tensor) for name, tensor in all_.items()})(folder)
    _config(vocab_size=entries, decoder_vocab_size=entries)(folder)


def _of_older_format(folder: Path) -> None:
    """Tables and numbers that older checkpoints hold and nothing reads."""
    unread = {"model.encoder.version": torch.ones(1), "model.decoder.version": torch.ones(1)}
    tables = {f"model.{side}.embed_positions.weights": torch.zeros(66, 32) for side in ("encoder", "decoder")}
    is_sinusoidal = json.loads((folder / "config.json").read_text())["model_type"] == "m2m_100"
    _weights(lambda all_: all_ | unread | (tables if is_sinusoidal else {}))(folder)


WHOLE: dict[str, tuple[Break, tuple[str, ...]]] = {
    "as it is": (lambda folder: None, tuple(CHECKPOINTS)),
    "in two files": (_in_two, tuple(CHECKPOINTS)),
    "with spare rows": (_spare_rows, tuple(CHECKPOINTS)),
    "in 16 bits": (_weights(lambda all_: {name: tensor.half() for name, tensor in all_.items()}), ("nllb", "t5")),
    "without the head's prefix": (_renamed(lambda name: name.removeprefix("model.")), BART),
    "of an older format": (_of_older_format, ("mbart50", "m2m100", "nllb")),
    "with a bias that is zero": (
        _weights(lambda all_: all_ | {"final_logits_bias": torch.zeros(1, 7)}),
        ("nllb", "m2m100"),
    ),
    "with the matrix under both names": (
        _weights(lambda all_: all_ | {"lm_head.weight": all_["model.shared.weight"].clone()}),
        BART,
    ),
    "with its start in the generation's settings": (
        _then(_config(decoder_start_token_id=...), _keys("generation_config.json", decoder_start_token_id=0)),
        ("t5", "mt5"),
    ),
    "without a start that nobody reads": (
        _then(_config(decoder_start_token_id=None), _without("generation_config.json")),
        ("mbart25",),
    ),
}


@pytest.mark.parametrize(
    ("label", "family"), [(label, family) for label, (_, families) in WHOLE.items() for family in families]
)
def test_a_whole_folder_is_taken_in_and_opens_with_its_weights(
    checkpoints: Path, tmp_path: Path, label: str, family: str
) -> None:
    folder = Path(shutil.copytree(checkpoints / family, tmp_path / "mine"))
    WHOLE[label][0](folder)
    record = _take_in(folder)
    one, two = load_base(folder), load_base(folder)
    assert parameters(one)[0] == record["total_parameters"]
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), two.parameters(), strict=True))
    assert (one.config.decoder_start_token_id is None) == (label == "without a start that nobody reads")
    assert {*record["sha256"]} == {file.name for file in folder.glob("*.safetensors")} | {"config.json"}


@pytest.mark.parametrize("change", [TENSORS["module."][0], TENSORS["one tensor less"][0], TENSORS["another shape"][0]])
def test_no_step_opens_weights_that_are_not_all_the_models_own(
    checkpoints: Path, tmp_path: Path, change: Break
) -> None:
    folder = Path(shutil.copytree(checkpoints / "nllb", tmp_path / "mine"))
    change(folder)
    with pytest.raises(UserError, match=r"names such as|lack|of the shape"):
        load_base(folder)

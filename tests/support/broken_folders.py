"""Forms in which a model's folder is broken, each with what the sentence says that refuses it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from mtpeft.models.tokenizer import load_tokenizer

Break = Callable[[Path], object]
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
BART, T5 = ("mbart25", "mbart50", "m2m100", "nllb", "marian_multi"), ("t5", "t5_1.1", "mt5")


def keys_of(name: str, **keys: Any) -> Break:
    def change(folder: Path) -> None:
        file = folder / name
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        content |= keys
        file.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))

    return change


def config_of(**keys: Any) -> Break:
    return keys_of("config.json", **keys)


def _text(name: str, content: str | bytes) -> Break:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _encoded(name: str, encoding: str) -> Break:
    return lambda folder: (folder / name).write_text((folder / name).read_text(), encoding=encoding)


def without(*names: str) -> Break:
    return lambda folder: [(folder / name).unlink() for name in names]


def weights_of(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], **metadata: str) -> Break:
    def write(folder: Path) -> None:
        changed = {name: tensor.contiguous() for name, tensor in change(load_file(folder / WEIGHTS)).items()}
        save_file(changed, folder / WEIGHTS, metadata or {"format": "pt"})

    return write


def renamed(change: Callable[[str], str]) -> Break:
    return weights_of(lambda weights: {change(name): tensor for name, tensor in weights.items()})


def _first(ending: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Break:
    """Change the first tensor whose name ends so."""

    def changed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        name = next(name for name in sorted(weights) if name.endswith(ending))
        return weights | {name: change(weights[name])}

    return weights_of(changed)


def _cut(share: float, name: str = WEIGHTS) -> Break:
    def write(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return write


def put_in_two(folder: Path) -> None:
    """Put the weights into two files with an index, as large models have them."""
    weights = load_file(folder / WEIGHTS)
    names = sorted(weights)
    places = {name: f"model-0000{1 + (place >= 20)}-of-00002.safetensors" for place, name in enumerate(names)}
    for file in set(places.values()):
        part = {name: weights[name] for name in names if places[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def then(*steps: Break) -> Break:
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
    "width of text": (config_of(d_model="32"), r"config\.json: 'd_model' is '32'; write a whole number"),
    "width of another number": (config_of(d_model=64), r"of the shape .*32.* but by .*config\.json it has .*64"),
    "width of a float": (config_of(d_model=32.0), r"'d_model' is 32\.0; write a whole number"),
    "width true": (config_of(d_model=True), r"'d_model' is true; write a whole number"),
    "width null": (config_of(d_model=None), r"'d_model' is null"),
    "width huge": (config_of(d_model=10**30), r"'d_model' is 10+; write a number from 1 to"),
    "width that is longer than a number can be": (
        _text("config.json", '{"d_model": ' + "9" * 5000 + "}"),
        r"config\.json",
    ),
    "width in a list": (config_of(d_model=[32]), r"'d_model' is \[32\]"),
    "no entries": (config_of(vocab_size=0), r"'vocab_size' is 0; write a number from 1"),
    "fewer entries": (config_of(vocab_size=350), r"'vocab_size' in .*config\.json .* 350 rows|'\w+_token_id' is"),
    "more entries": (config_of(vocab_size=900), r"shape .*900"),
    "entries negative": (config_of(vocab_size=-5), r"'vocab_size' is -5"),
    "entries missing": (config_of(vocab_size=...), r"no key 'vocab_size'"),
    "padding beyond the entries": (config_of(pad_token_id=99_999), r"'pad_token_id' is 99999, but the vocabulary has"),
    "padding negative": (config_of(pad_token_id=-1), r"'pad_token_id' is -1"),
    "padding of text": (config_of(pad_token_id="1"), r"'pad_token_id' is '1'; write the number of one entry"),
    "another padding": (config_of(pad_token_id=7), r"'pad_token_id' is 7, but the tokenizer beside it has"),
    "padding null": (config_of(pad_token_id=None), r"has no 'pad_token_id'"),
    "another end": (config_of(eos_token_id=9), r"'eos_token_id' is 9, but the tokenizer"),
    "ends in a list": (config_of(eos_token_id=[1, 2]), r"'eos_token_id' is \[1, 2\]"),
    "end null": (config_of(eos_token_id=None), r"has no 'eos_token_id'"),
    "start beyond the entries": (config_of(decoder_start_token_id=10**9), r"'decoder_start_token_id' is 1000000000"),
    "start of text": (config_of(decoder_start_token_id="</s>"), r"'decoder_start_token_id' is '</s>'"),
    "no type": (config_of(model_type=...), r"model_type 'None', which is not supported"),
    "type of another kind": (config_of(model_type=7), r"'model_type' is 7; write a name"),
    "unknown type": (config_of(model_type="opus"), r"model_type 'opus', which is not supported"),
    "decoder alone": (config_of(model_type="gpt2"), r"model_type 'gpt2', which is not supported"),
    "ties of text": (config_of(tie_word_embeddings="no"), r"'tie_word_embeddings' is 'no'; write true or false"),
    "quantised": (config_of(quantization_config={"load_in_8bit": True}), r"'quantization_config' says"),
    "start in the generation's settings beyond the entries": (
        keys_of("generation_config.json", decoder_start_token_id=99_999),
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
    "no tokenizer": (without("tokenizer_config.json"), r"that folder has no tokenizer"),
    "tokenizer unknown": (keys_of("tokenizer_config.json", tokenizer_class="BertTokenizer"), r"class 'BertTokenizer'"),
    "token added": (_add_token, r"has the token '<extra>' with the number \d+, but by 'vocab_size'"),
    "adapter beside it": (_text("adapter_config.json", "{}"), r"holds an adapter and not a whole model"),
    "adapter alone": (
        then(without("config.json"), _text("adapter_config.json", "{}")),
        r"has no config\.json; it holds an adapter",
    ),
}
TENSORS = {
    "module.": (renamed(lambda name: f"module.{name}"), r"have names such as 'module\..*; take 'module\.' off"),
    "base_model.model.": (
        renamed(lambda name: f"base_model.model.{name}"),
        r"have names such as 'base_model\.model\..*; take 'base_model\.model\.' off",
    ),
    "net.": (renamed(lambda name: f"net.{name}"), r"have names such as 'net\..*; take 'net\.' off"),
    "other names": (renamed(lambda name: name.replace("layer", "couche")), r"lack '|have names such as"),
    "a layer less": (
        weights_of(lambda all_: {name: held for name, held in all_.items() if ".1." not in name or "encoder" in name}),
        r"lack '.*decoder.* and \d+ more",
    ),
    "one tensor less": (
        weights_of(lambda all_: {name: all_[name] for name in sorted(all_)[1:]}),
        r"lack '\S+', which a model of type",
    ),
    "one tensor more": (
        weights_of(lambda all_: all_ | {"classification_head.weight": torch.zeros(2)}),
        r"holds 'classification_head\.weight', for which there is no place",
    ),
    "another shape": (_first("norm.weight", lambda tensor: torch.ones(31)), r"of the shape \[31\], but by .* \[32\]"),
    "turned": (_first("shared.weight", lambda tensor: tensor.T), r"of the shape"),
    "8-bit integers": (_first("norm.weight", _to_int8), r"in numbers of type I8; use a checkpoint of whole weights"),
    "NaN": (_first("norm.weight", _with_nan), r"with numbers that are NaN or infinite"),
    "for TensorFlow": (weights_of(dict, format="tf"), r"was written for 'tf' and not for PyTorch"),
    "half a file": (_cut(0.5), r"model\.safetensors is no whole safetensors file"),
    "empty file": (_cut(0), r"model\.safetensors is no whole safetensors file"),
    "head of a file": (_cut(0.001), r"model\.safetensors is no whole safetensors file"),
    "none": (without(WEIGHTS), r"no \*\.safetensors weights under the name model\.safetensors"),
    "pickled": (_pickled, r"no \*\.safetensors weights .*, such as pytorch_model\.bin"),
    "second file missing": (
        then(put_in_two, without("model-00002-of-00002.safetensors")),
        r"index\.json names model-00002-of-00002\.safetensors, which is not there",
    ),
    "index outside": (
        then(without(WEIGHTS), keys_of(INDEX, weight_map={"lm_head.weight": "../model.safetensors"})),
        r"names \.\./model\.safetensors, which is not there",
    ),
    "index without a map": (then(without(WEIGHTS), _text(INDEX, '{"metadata": {}}')), r"has no 'weight_map'"),
    "index with a list": (then(without(WEIGHTS), _text(INDEX, "[]")), r"index\.json must hold one JSON object"),
    "index says otherwise": (
        then(
            put_in_two,
            lambda folder: keys_of(
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
        config_of(encoder_attention_heads=5),
        r"'d_model' is 32, which 5 heads .* do not divide",
    ),
    "no heads": (config_of(decoder_attention_heads=0), r"'decoder_attention_heads' is 0"),
    "a layer more": (config_of(encoder_layers=3), r"lack 'model\.encoder\.layers\.2\..*' and \d+ more"),
    "fewer layers": (config_of(decoder_layers=1), r"holds 'model\.decoder\.layers\.1\..*' and \d+ more, for which"),
    "layers of a float": (config_of(encoder_layers=2.5), r"'encoder_layers' is 2\.5"),
    "layers null": (config_of(decoder_layers=None), r"'decoder_layers' is null"),
    "a million layers": (config_of(encoder_layers=10**6), r"'encoder_layers' is 1000000"),
    "another inner width": (config_of(encoder_ffn_dim=96), r"of the shape"),
    "dropout of text": (config_of(dropout="0.1"), r"'dropout' is '0\.1'; write a probability"),
    "dropout 2": (config_of(dropout=2), r"'dropout' is 2; write a probability"),
    "positions negative": (config_of(max_position_embeddings=-1), r"'max_position_embeddings' is -1"),
    "positions huge": (config_of(max_position_embeddings=10**9), r"'max_position_embeddings' is 1000000000"),
    "unknown activation": (config_of(activation_function="gulu"), r"config\.json"),
    "deviation zero": (config_of(init_std=0), r"'init_std' is 0; write a number above 0"),
    "not tied": (config_of(tie_word_embeddings=False), r"tie_word_embeddings false; use a model that shares"),
    "another output projection": (
        weights_of(lambda all_: all_ | {"lm_head.weight": all_["model.shared.weight"] + 1}),
        r"'lm_head\.weight' and 'model\.shared\.weight' are one matrix, but the two are not equal",
    ),
    "of T5": (config_of(model_type="t5"), r"config\.json.* no key|supported together"),
}
OF_T5 = {
    "a block more": (config_of(num_layers=3), r"lack '"),
    "fewer blocks": (
        config_of(num_layers=1, num_decoder_layers=1),
        r"holds '.*block\.1\..*', for which|and \d+ more, for",
    ),
    "other heads": (config_of(num_heads=4), r"of the shape"),
    "feed-forward of a number": (config_of(feed_forward_proj=3), r"'feed_forward_proj' is 3; write a name"),
    "unknown feed-forward": (config_of(feed_forward_proj="gated-gated-x"), r"config\.json"),
    "sizes huge": (config_of(d_ff=10**12), r"'d_ff' is 1000000000000"),
    "model.": (renamed(lambda name: f"model.{name}"), r"have names such as 'model\..*; take 'model\.' off"),
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
NO_START = then(config_of(decoder_start_token_id=...), without("generation_config.json"))
CASES = [
    *((family, "no start", (NO_START, r"has no 'decoder_start_token_id'")) for family in ("t5", "t5_1.1")),
    (
        "mbart50",
        "start null",
        (then(config_of(decoder_start_token_id=None), without("generation_config.json")), "no 'decoder_start"),
    ),
    *((family, *case) for family in ("mbart50", "t5") for case in CONFIG.items()),
    *((family, *case) for family in ("mbart25", "t5_1.1") for case in FILES.items()),
    *((family, *case) for family in ("m2m100", "mt5", "marian") for case in TENSORS.items()),
    *((family, *case) for family in ("mbart25", "nllb", "marian_multi") for case in OF_BART.items()),
    *((family, *case) for family in T5 for case in OF_T5.items()),
    *(
        (family, f"no {name}", (without(name), rf"{name}|tokenizer .* can't be opened"))
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

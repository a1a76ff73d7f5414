"""Tiny models around the small files of published checkpoints, which lie in `fixtures/published`."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import transformers

from mtpeft.core.files import read_record, write_record
from mtpeft.models.families.m2m100 import M2M100_CODES
from support import family as family_material
from support.family import MADE_UP, save_random

FOLDER = Path(__file__).parents[1] / "fixtures/published"
TINY_BART = {
    "d_model": 32,
    "max_position_embeddings": 64,
    "init_std": 0.2,
    "num_hidden_layers": 2,
    **family_material.SIDES,
    **family_material.HEADS,
}
TINY_T5 = {**family_material.T5, "num_decoder_layers": 2}


@dataclass(frozen=True)
class Published:
    """A published checkpoint: its small files, of which a tiny model is made, and its use by its publisher's page.

    Attributes:
        tokenizer: class that the publisher's page loads.
        write: writes the files of the vocabulary.
        source: tokens before and after a Spanish sentence.
        target: tokens before and after an English one.
        begin: tokens that decoding begins with.
        told: what the tokenizer is told, as the page has it.
        prefix: text before every source sentence, as the page has it.
        tiny: numbers of the configuration that are other than published.
        spare: rows of the embeddings that no entry of the tokenizer has.
    """

    tokenizer: str
    write: Callable[[Path], None]
    source: tuple[list[str], list[str]]
    target: tuple[list[str], list[str]]
    begin: list[str]
    told: dict[str, str] = field(default_factory=dict)
    prefix: str = ""
    tiny: dict[str, Any] = field(default_factory=lambda: TINY_BART)
    spare: int = 0


def build_published(name: str, folder: Path) -> Path:
    """Write a tiny model with a published checkpoint's small files; returns its folder."""
    published = PUBLISHED[name]
    folder.mkdir(parents=True)
    published.write(folder)
    for file in (FOLDER / name).glob("*.json"):
        shutil.copyfile(file, folder / file.name)
    own = getattr(transformers, published.tokenizer)
    config = read_record(FOLDER / name / "config.json") | published.tiny
    # T5's tokenizer is told its number of entries by nobody, the others have rows for their languages.
    tokenizer = own.from_pretrained(folder)
    config["vocab_size"] = entries = len(tokenizer) + published.spare
    if config.get("forced_bos_token_id") and config["model_type"] == "mbart":
        config["forced_bos_token_id"] = tokenizer.convert_tokens_to_ids(published.begin[-1])
    if config["model_type"] == "marian":
        pad = entries - 1
        config |= {"pad_token_id": pad, "decoder_start_token_id": pad, "bad_words_ids": [[pad]]}
    save_random({key: value for key, value in config.items() if key != "bad_words_ids"}, folder)
    write_record(folder / "config.json", config)
    if (generation := FOLDER / name / "generation_config.json").exists():
        forced = {key: config[key] for key in ("forced_bos_token_id",) if config.get(key)}
        write_record(folder / generation.name, read_record(generation) | forced)
    return folder


def madlad_tokens() -> list[str]:
    """All tokens of MADLAD-400 that begin as those of its languages do."""
    return (FOLDER / "madlad400-3b-mt/language_tokens.txt").read_text(encoding="utf-8").split()


def _write(name: str) -> Callable[[Path], None]:
    return family_material.CHECKPOINTS[name].write_tokenizer


def _nllb(folder: Path) -> None:
    """As published, with the list of entries, without which transformers finds no languages in the small files."""
    family_material.CHECKPOINTS["nllb"].write_tokenizer(folder)
    transformers.NllbTokenizer.from_pretrained(folder).backend_tokenizer.save(str(folder / "tokenizer.json"))


def _opus_multi(folder: Path) -> None:
    targets = json.loads((FOLDER / "opus-mt-en-zh/metadata.json").read_text(encoding="utf-8"))["tgt_constituents"]
    family_material._marian(*targets)(folder)


def _madlad(folder: Path) -> None:
    tokens = madlad_tokens()
    family_material._learn(
        folder / "spiece.model",
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        user_defined_symbols=tokens,
        vocab_size=family_material.PIECES + len(tokens),
    )


LANGUAGES_50 = {"src_lang": "es_XX", "tgt_lang": "en_XX"}
ML50 = Published(
    "MBart50Tokenizer",
    _write("mbart50"),
    (["es_XX"], ["</s>"]),
    (["en_XX"], ["</s>"]),
    ["</s>", "en_XX"],
    LANGUAGES_50,
)
T5 = Published(
    "T5Tokenizer",
    _write("t5"),
    ([], ["</s>"]),
    ([], ["</s>"]),
    ["<pad>"],
    prefix="translate Spanish to English: ",
    tiny=TINY_T5,
    spare=28,
)
PUBLISHED = {
    "mbart-large-50": ML50,
    "mbart-large-50-many-to-many-mmt": ML50,
    "mbart-large-50-many-to-one-mmt": ML50,
    "mbart-large-50-one-to-many-mmt": ML50,
    "mbart-large-cc25": Published(
        "MBartTokenizer",
        _write("mbart25"),
        ([], ["</s>", "es_XX"]),
        ([], ["</s>", "en_XX"]),
        ["en_XX"],
        LANGUAGES_50,
    ),
    "m2m100_418M": Published(
        "M2M100Tokenizer",
        _write("m2m100"),
        (["__es__"], ["</s>"]),
        (["__en__"], ["</s>"]),
        ["</s>", "__en__"],
        {"src_lang": "es", "tgt_lang": "en"},
        spare=len(M2M100_CODES) + MADE_UP,
    ),
    "nllb-200-distilled-600M": Published(
        "NllbTokenizer",
        _nllb,
        (["spa_Latn"], ["</s>"]),
        (["eng_Latn"], ["</s>"]),
        ["</s>", "eng_Latn"],
        {"src_lang": "spa_Latn", "tgt_lang": "eng_Latn"},
    ),
    "t5-small": T5,
    "t5-v1_1-small": T5,
    "mt5-small": Published(
        "T5Tokenizer",
        _write("mt5"),
        ([], ["</s>"]),
        ([], ["</s>"]),
        ["<pad>"],
        prefix="translate Spanish to English: ",
        tiny=TINY_T5,
    ),
    "madlad400-3b-mt": Published(
        "T5Tokenizer",
        _madlad,
        (["▁", "<2en>"], ["</s>"]),
        ([], ["</s>"]),
        ["<unk>"],
        prefix="<2en> ",
        tiny=TINY_T5,
    ),
    "opus-mt-zh-en": Published("MarianTokenizer", _write("marian"), ([], ["</s>"]), ([], ["</s>"]), ["<pad>"]),
    "opus-mt-en-zh": Published(
        "MarianTokenizer",
        _opus_multi,
        ([">>cmn_Hans<<"], ["</s>"]),
        ([], ["</s>"]),
        ["<pad>"],
        prefix=">>cmn_Hans<< ",
    ),
}

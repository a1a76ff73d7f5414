"""Tiny checkpoints of every family, in the files and formats in which the real ones come."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece

from mtpeft.core.files import write_record
from mtpeft.data.encode import encode_pair
from mtpeft.models.families.m2m100 import M2M100_CODES, NLLB_CODES
from mtpeft.models.load import random_model
from mtpeft.models.local import take_in_folder
from mtpeft.models.marian_conversion import write_tokenizer
from mtpeft.training.finetune import CellInputs
from support.decoder_only import DECODER_ONLY
from support.model import SPANISH_ENGLISH, inputs, train_params
from support.text import SCRIPTS

LANGUAGES = {"source": "es", "target": "en"}
SHARES = {"adapter": 0.05, "lora": 0.03, "prefix": 0.03, "lora_embeddings": 0.7, "prefix_then_lora": 0.05}
PIECES = 420
MADE_UP = 8
"""Entries beyond its languages that M2M-100's embeddings have."""
SIDES = {"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
HEADS = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
BART = {"d_model": 32, "max_position_embeddings": 64, "dropout": 0.1, "init_std": 0.2, **SIDES, **HEADS}
FAIRSEQ = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
T5 = {"d_model": 32, "d_kv": 10, "num_heads": 3, "d_ff": 48, "num_layers": 2}
T5_SPECIALS = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}


@dataclass(frozen=True)
class Checkpoint:
    """A tiny checkpoint: keys of its config.json, its tokenizer's files, its names of the languages."""

    config: dict[str, Any]
    write_tokenizer: Callable[[Path], None]
    source: str
    target: str


def checkpoints_in(folder: Path) -> Callable[[str], Path]:
    """Return a function that gives the folder of a family's checkpoint, which is made once."""
    return cache(lambda name: build_checkpoint(name, folder / name))


def build_checkpoint(name: str, folder: Path) -> Path:
    """Write a checkpoint with random weights; returns its folder."""
    from transformers import AutoTokenizer

    checkpoint = ALL_CHECKPOINTS[name]
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.write_tokenizer(folder)
    write_record(folder / "config.json", {"model_type": checkpoint.config["model_type"]})
    entries = len(AutoTokenizer.from_pretrained(folder, local_files_only=True))
    config = {**checkpoint.config, "vocab_size": entries + (len(M2M100_CODES) + MADE_UP if name == "m2m100" else 0)}
    if name.startswith(("marian", "student")):
        config |= {"pad_token_id": entries - 1, "decoder_start_token_id": entries - 1}
    save_random(config, folder)
    return folder


def save_random(config: dict[str, Any], folder: Path) -> None:
    """Write a model with random weights; transformers forgets that its output projection is not tied."""
    random_model(config, seed=3).save_pretrained(folder)
    if "tie_word_embeddings" in config:
        saved = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        write_record(folder / "config.json", saved | {"tie_word_embeddings": config["tie_word_embeddings"]})


def family_inputs(name: str, sweep: Path, folder: Path) -> CellInputs:
    """A checkpoint taken in as a base model, and the text of the tiny sweep in its tokens."""
    checkpoint = build_checkpoint(name, folder / "checkpoint")
    given = inputs(sweep)
    record = folder / name / "base.json"
    take_in_folder({"step_version": 1, "path": str(checkpoint)}, record=record)
    pairs = sweep / "data/pairs/es-en"
    arrays = {pairs / f"{part}.tsv": folder / f"{part}.safetensors" for part in ("train", "dev")}
    encode_pair({**LANGUAGES, "vocabulary": name}, tokenizer=checkpoint, parts=arrays)
    train, dev = arrays.values()
    return CellInputs(base=record, train=train, dev=dev, dev_text=given.dev_text, subset=given.subset)


def family_params(method: str) -> dict[str, Any]:
    """Params of a cell that learns fast."""
    rate = {"full": 0.02, "embeddings": 0.03, "prefix": 0.1}.get(method, 0.05)
    params = train_params(method, learning_rate=rate, updates=5, evaluations=1, dropout=0.0, label_smoothing=0.0)
    return params | {"budget": SHARES.get(method)}


def _learn(file: Path, **options: Any) -> sentencepiece.SentencePieceProcessor:
    """A sentencepiece model of text in many scripts."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*SCRIPTS.values(), *(side for row in SPANISH_ENGLISH for side in row)]),
        model_prefix=str(file.with_suffix("")),
        vocab_size=options.pop("vocab_size", PIECES),
        character_coverage=1.0,
        minloglevel=2,
        **options,
    )
    file.with_suffix(".vocab").unlink()
    if file.suffix != ".model":
        file.with_suffix(".model").rename(file)
    return sentencepiece.SentencePieceProcessor(model_file=str(file))


def _pieces(processor: sentencepiece.SentencePieceProcessor, first: int) -> list[str]:
    return [processor.id_to_piece(index) for index in range(first, processor.get_piece_size())]


def _mbart(tokenizer_class: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        _learn(folder / "sentencepiece.bpe.model")
        write_record(folder / "tokenizer_config.json", {"tokenizer_class": tokenizer_class})

    return write


def _nllb(folder: Path) -> None:
    _learn(folder / "sentencepiece.bpe.model", model_type="bpe")
    described = {"tokenizer_class": "NllbTokenizer", "additional_special_tokens": list(NLLB_CODES)}
    write_record(folder / "tokenizer_config.json", described)


def _m2m100(folder: Path) -> None:
    processor = _learn(folder / "sentencepiece.bpe.model", model_type="bpe")
    entries = ["<s>", "<pad>", "</s>", "<unk>", *_pieces(processor, 3)]
    write_record(folder / "vocab.json", {entry: index for index, entry in enumerate(entries)})
    described = {"tokenizer_class": "M2M100Tokenizer", "language_codes": "m2m100", "num_madeup_words": MADE_UP}
    write_record(folder / "tokenizer_config.json", described)


def _marian(*codes: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        sides = [_learn(folder / f"{side}.spm", vocab_size=size) for side, size in (("source", 400), ("target", 380))]
        pieces = dict.fromkeys(piece for side in sides for piece in _pieces(side, 3))
        entries = ["</s>", "<unk>", *(f">>{code}<<" for code in codes), *pieces, "<pad>"]
        # Unsorted, since the numbers of the entries are what counts.
        vocabulary = json.dumps({entry: index for index, entry in enumerate(entries)}, ensure_ascii=False)
        (folder / "vocab.json").write_text(vocabulary, encoding="utf-8")
        write_record(folder / "tokenizer_config.json", {"source_lang": "es", "target_lang": "en"})

    return write


def _student(folder: Path) -> None:
    _learn(folder / "joint.spm", eos_id=0, unk_id=1, bos_id=-1, pad_id=-1)
    write_tokenizer(folder / "joint.spm", folder)
    (folder / "joint.spm").unlink()


def _t5(folder: Path) -> None:
    _learn(folder / "spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    write_record(folder / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "extra_ids": 100})


def _mt5(folder: Path) -> None:
    _learn(folder / "spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    write_record(folder / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "extra_ids": 0})


# Keys that the published configurations have and the model does not read.
WRITTEN = {"normalize_before": True, "normalize_embedding": True, "add_final_layer_norm": True}
MBART = {"model_type": "mbart", **BART, **FAIRSEQ, **WRITTEN}
MARIAN = {"model_type": "marian", **BART, "eos_token_id": 0, "forced_eos_token_id": 0, "scale_embedding": True}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
M2M = {"model_type": "m2m_100", **BART, **FAIRSEQ, "encoder_layerdrop": 0.3, "decoder_layerdrop": 0.3}
CHECKPOINTS = {
    "mbart25": Checkpoint(MBART, _mbart("MBartTokenizer"), "es_XX", "en_XX"),
    "mbart50": Checkpoint(MBART, _mbart("MBart50Tokenizer"), "es_XX", "en_XX"),
    "m2m100": Checkpoint(M2M, _m2m100, "es", "en"),
    "nllb": Checkpoint(M2M, _nllb, "spa_Latn", "eng_Latn"),
    "marian": Checkpoint(MARIAN, _marian(), "es", "en"),
    "marian_multi": Checkpoint(MARIAN, _marian("eng", "deu"), "es", ">>eng<<"),
    "student": Checkpoint({**MARIAN, "model_type": "student", "activation_function": "relu"}, _student, "es", "en"),
    "t5": Checkpoint({"model_type": "t5", **T5, **T5_SPECIALS}, _t5, "es", "en"),
    "t5_1.1": Checkpoint({"model_type": "t5", **T5, **T5_SPECIALS, **GATED}, _t5, "es", "en"),
    "mt5": Checkpoint({"model_type": "mt5", **T5, **T5_SPECIALS, **GATED}, _mt5, "es", "en"),
}
CAUSAL_CHECKPOINTS = {name: Checkpoint(*given, "es", "en") for name, given in DECODER_ONLY.items()}
ALL_CHECKPOINTS = CHECKPOINTS | CAUSAL_CHECKPOINTS

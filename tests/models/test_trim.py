"""Models with fewer entries in their vocabulary: what text needs, what is frequent, and all that is special."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtpeft.config.load import load, merge, validate
from mtpeft.config.model_shapes import model_shape
from mtpeft.config.studies import all_cells
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_record
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.models.architecture import trimmed_shape
from mtpeft.models.config_json import read_folder_shape
from mtpeft.models.derived.extend import extend_model
from mtpeft.models.derived.trim import kept_tokens, read_vocabulary
from mtpeft.models.families import family_in, read_json, read_shape
from mtpeft.models.load import load_base, parameters
from mtpeft.models.local import take_in_folder
from mtpeft.models.tokenizer import (
    count_words,
    detokenise,
    encode,
    load_tokenizer,
    names_in,
    open_tokenizer,
    source_prompt,
    special_tokens_of,
)
from mtpeft.steps.base_models import base_file
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.freshness import current_records
from mtpeft.steps.train import placed
from mtpeft.steps.trim_model import run as trim_model
from support.config import DEFAULT
from support.family import CHECKPOINTS, build_checkpoint, save_random
from support.model import SPANISH_ENGLISH
from support.sweep import ROOT, STUDY, copy, run

READ = SPANISH_ENGLISH[:8]
"""The text that the model is trimmed to."""
UNREAD = SPANISH_ENGLISH[8:40]
SPARE = 15
"""Entries that are kept because they are frequent."""
LANGUAGES = {"source": "es", "target": "en"}
SIDES = ("source", "target")
Trim = Callable[[str], Path]


def _counts(folder: Path) -> Counter[int]:
    prompt = source_prompt(folder, LANGUAGES, None)
    return count_words(folder, [prompt + source for source, _ in READ], "source") + count_words(
        folder, [target for _, target in READ], "target"
    )


def _least(folder: Path) -> int:
    """The number of entries that the text and the model itself need, which the refusal of fewer names."""
    with pytest.raises(UserError, match="write that many") as refusal:
        kept_tokens(read_vocabulary(folder), folder, _counts(folder), entries=1, key="models.cut.trim.entries")
    return int(str(refusal.value).split(" need ")[1].split(";")[0])


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Trim:
    """The folder of a family's checkpoint that is trimmed, made once; the whole one lies in `checkpoint/` above."""
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            checkpoint = build_checkpoint(name, folder / "checkpoint")
            take_in_folder({"step_version": 1, "path": str(checkpoint)}, record=folder / name / "base.json")
            write_pairs(folder / "train.tsv", [SentencePair(str(place), *row) for place, row in enumerate(READ)])
            trim_model(
                {"model": name, "entries": _least(checkpoint) + SPARE, "languages": [LANGUAGES]},
                base=folder / name / "base.json",
                texts=[folder / "train.tsv"],
                record=folder / "cut/base.json",
            )
            made[name] = folder / "cut/trimmed"
        return made[name]

    return of


def _whole(folder: Path) -> Path:
    return folder.parents[1] / "checkpoint"


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_text_that_the_model_is_trimmed_to_keeps_its_tokens_and_their_logits(trimmed: Trim, name: str) -> None:
    folder = trimmed(name)
    before, after = (read_vocabulary(one).tokens for one in (_whole(folder), folder))
    opened = [open_tokenizer(one, LANGUAGES, vocabulary=name) for one in (_whole(folder), folder)]
    models = [load_base(one).eval() for one in (_whole(folder), folder)]
    for sentences in READ:
        rows = [
            [encode(tokenizer, [text], side, max_length=60)[0] for side, text in zip(SIDES, sentences, strict=True)]
            for tokenizer in opened
        ]
        named = [
            [[tokens[token] for token in row] for row in both]
            for tokens, both in zip((before, after), rows, strict=True)
        ]
        assert named[0] == named[1]
        with torch.no_grad():
            whole, cut = (
                model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([target])).logits
                for model, (source, target) in zip(models, rows, strict=True)
            )
        torch.testing.assert_close(cut, whole[..., [before.index(token) for token in after]])


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_token_that_is_cut_falls_apart_into_kept_ones_and_reads_as_before(trimmed: Trim, name: str) -> None:
    folder = trimmed(name)
    whole, cut = (open_tokenizer(one, LANGUAGES, vocabulary=name) for one in (_whole(folder), folder))
    longer = 0
    for place, side in enumerate(SIDES):
        texts = [sentences[place] for sentences in UNREAD]
        before, after = (encode(tokenizer, texts, side, max_length=90) for tokenizer in (whole, cut))
        assert detokenise(cut, after) == detokenise(whole, before)
        unknown = [
            [row.count(tokenizer.pretrained.unk_token_id) for row in rows]
            for tokenizer, rows in ((whole, before), (cut, after))
        ]
        assert unknown[0] == unknown[1]
        longer += sum(map(len, after)) - sum(map(len, before))
    assert longer > 0


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_special_tokens_languages_and_the_most_frequent_tokens_stay(trimmed: Trim, name: str) -> None:
    folder = trimmed(name)
    whole, cut = read_vocabulary(_whole(folder)), read_vocabulary(folder)
    assert whole.special == cut.special
    family = family_in(folder)
    assert names_in(family, load_tokenizer(folder)) == names_in(family, load_tokenizer(_whole(folder)))
    gone = [token for token in whole.tokens if token not in cut.tokens]
    assert gone
    # All that stands before the first one that is gone is kept; what is kept behind it is needed.
    assert [*cut.tokens] == [token for token in whole.tokens if token not in gone]
    assert len(cut.tokens) - _least(_whole(folder)) == SPARE
    opened = [open_tokenizer(one, LANGUAGES, vocabulary=name) for one in (_whole(folder), folder)]
    begins = [
        [tokens[token] for token in special_tokens_of(tokenizer, load_base(one).config).begin]
        for tokens, tokenizer, one in zip((whole.tokens, cut.tokens), opened, (_whole(folder), folder), strict=True)
    ]
    assert begins[0] == begins[1]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_trimmed_model_has_the_parameters_of_the_closed_form(trimmed: Trim, name: str) -> None:
    folder = trimmed(name)
    entries = read_json(folder / "config.json")["vocab_size"]
    whole = read_folder_shape(_whole(folder), key="models.whole.path")
    shape = trimmed_shape(whole, entries=entries)
    assert shape == read_folder_shape(folder, key="models.cut.path")
    assert shape.total == parameters(load_base(folder))[0]
    record = read_record(folder.parent / "base.json")
    assert record["total_parameters"] == shape.total
    assert record["origin"]["total_parameters_before"] == whole.total
    assert record["origin"]["entries_before"] == len(read_vocabulary(_whole(folder)).tokens)


def _trim(checkpoint: Path, folder: Path, *, entries: int) -> Path:
    """The folder of a checkpoint after it was changed, trimmed to the text."""
    take_in_folder({"step_version": 1, "path": str(checkpoint)}, record=folder / "whole/base.json")
    write_pairs(folder / "train.tsv", [SentencePair(str(place), *row) for place, row in enumerate(READ)])
    trim_model(
        {"model": "whole", "entries": entries, "languages": [LANGUAGES]},
        base=folder / "whole/base.json",
        texts=[folder / "train.tsv"],
        record=folder / "cut/base.json",
    )
    return folder / "cut/trimmed"


def _first_gone(checkpoint: Path) -> int:
    """The number of the first token that goes when no more is kept than is needed."""
    vocabulary, needed = read_vocabulary(checkpoint), {"counts": _counts(checkpoint), "entries": _least(checkpoint)}
    least = kept_tokens(vocabulary, checkpoint, **needed, key="")
    return next(place for place, token in enumerate(vocabulary.tokens) if token not in least)


def test_files_name_tokens_by_their_new_numbers(tmp_path: Path) -> None:
    checkpoint = build_checkpoint("marian", tmp_path / "checkpoint")
    pad, gone = read_vocabulary(checkpoint).tokens.index("<pad>"), _first_gone(checkpoint)
    words = {"bad_words_ids": [[pad], [gone], [0, pad]], "suppress_tokens": [gone], "forced_decoder_ids": [[1, gone]]}
    write_record(checkpoint / "generation_config.json", words | {"eos_token_id": [0, gone], "pad_token_id": pad})
    folder = _trim(checkpoint, tmp_path, entries=_least(checkpoint))
    tokens = read_vocabulary(folder).tokens
    # A token that a file names as the end of a sentence is a special one, and is kept.
    kept = [tokens.index(token) for token in ("<pad>", read_vocabulary(checkpoint).tokens[gone])]
    assert read_json(folder / "generation_config.json") == {
        "bad_words_ids": [[kept[0]], [kept[1]], [0, kept[0]]],
        "suppress_tokens": [kept[1]],
        "forced_decoder_ids": None,
        "eos_token_id": [0, kept[1]],
        "pad_token_id": kept[0],
    }


def test_what_is_forbidden_and_gone_is_no_longer_forbidden(tmp_path: Path) -> None:
    checkpoint = build_checkpoint("marian", tmp_path / "checkpoint")
    pad, gone = read_vocabulary(checkpoint).tokens.index("<pad>"), _first_gone(checkpoint)
    words = {"bad_words_ids": [[pad], [gone], [0, gone]], "suppress_tokens": [gone]}
    write_record(checkpoint / "generation_config.json", words)
    folder = _trim(checkpoint, tmp_path, entries=_least(checkpoint))
    pad = read_vocabulary(folder).tokens.index("<pad>")
    assert read_json(folder / "generation_config.json") == {"bad_words_ids": [[pad]], "suppress_tokens": None}


def test_a_special_token_that_the_tokenizer_does_not_have_is_named(tmp_path: Path) -> None:
    checkpoint = build_checkpoint("nllb", tmp_path / "checkpoint")
    config = read_json(checkpoint / "config.json")
    write_record(checkpoint / "config.json", config | {"decoder_start_token_id": config["vocab_size"] - 1 + 5})
    with pytest.raises(
        UserError, match=r"config\.json names the token \d+, which the tokenizer beside it does not have"
    ):
        read_vocabulary(checkpoint)


def test_a_number_that_no_token_has_is_left_out(tmp_path: Path) -> None:
    checkpoint = build_checkpoint("marian", tmp_path / "checkpoint")
    vocabulary, hole = read_json(checkpoint / "vocab.json"), _first_gone(checkpoint)
    without = {token: number for token, number in vocabulary.items() if number != hole}
    (checkpoint / "vocab.json").write_text(json.dumps(without, ensure_ascii=False), encoding="utf-8")
    folder = _trim(checkpoint, tmp_path, entries=_least(checkpoint) + SPARE)
    after, weights = read_vocabulary(folder).tokens, load_base(folder).get_input_embeddings().weight
    assert len(after) == read_json(folder / "config.json")["vocab_size"] == _least(checkpoint) + SPARE
    whole = load_base(checkpoint).get_input_embeddings().weight
    assert torch.equal(weights, whole[[without[token] for token in after]])


def test_pieces_that_read_as_unknown_words_still_do(tmp_path: Path) -> None:
    """The list of a published vocabulary may lack pieces of its sentencepiece model."""
    checkpoint = build_checkpoint("marian", tmp_path / "checkpoint")
    vocabulary = read_json(checkpoint / "vocab.json")
    (first,) = load_tokenizer(checkpoint)(text=[READ[0][0]], add_special_tokens=False)["input_ids"]
    piece = max((token for token, number in vocabulary.items() if number in first), key=len)
    without = {token: place for place, token in enumerate(token for token in vocabulary if token != piece)}
    (checkpoint / "vocab.json").write_text(json.dumps(without, ensure_ascii=False), encoding="utf-8")
    config = read_json(checkpoint / "config.json")
    entries = {"vocab_size": len(without), "decoder_vocab_size": len(without)}
    names = {"pad_token_id": len(without) - 1, "decoder_start_token_id": len(without) - 1}
    save_random({**config, **entries, **names}, checkpoint)
    folder = _trim(checkpoint, tmp_path, entries=_least(checkpoint))
    opened = [open_tokenizer(one, LANGUAGES, vocabulary="") for one in (checkpoint, folder)]
    rows = [encode(tokenizer, [READ[0][0]], "source", max_length=60)[0] for tokenizer in opened]
    assert rows[0].count(1) == rows[1].count(1) > 0
    assert len(rows[0]) == len(rows[1])


def test_other_files_of_the_model_are_kept(tmp_path: Path) -> None:
    checkpoint = build_checkpoint("t5", tmp_path / "checkpoint")
    (checkpoint / "README.md").write_text("Licence: MIT", encoding="utf-8")
    folder = _trim(checkpoint, tmp_path, entries=_least(checkpoint))
    assert (folder / "README.md").read_text(encoding="utf-8") == "Licence: MIT"


def test_a_prompt_is_cut_as_before(tmp_path: Path) -> None:
    checkpoint = build_checkpoint("t5", tmp_path / "checkpoint")
    folder = _trim(checkpoint, tmp_path, entries=_least(checkpoint))
    before, after = read_vocabulary(checkpoint).tokens, read_vocabulary(folder).tokens
    prompt = source_prompt(checkpoint, LANGUAGES, None)
    assert prompt == "translate Spanish to English: "
    rows = [load_tokenizer(one)(text=[prompt])["input_ids"][0] for one in (checkpoint, folder)]
    assert [before[token] for token in rows[0]] == [after[token] for token in rows[1]]


def test_a_trimmed_model_can_be_extended(trimmed: Trim, tmp_path: Path) -> None:
    folder = trimmed("nllb")
    extend_model(
        {"languages": {"kl": "es"}, "pieces": 0, "sides": []},
        base=folder.parent / "base.json",
        sentences={},
        record=tmp_path / "wide/base.json",
    )
    tokenizer = open_tokenizer(tmp_path / "wide/extended", {"source": "kl", "target": "en"}, vocabulary="wide")
    assert tokenizer.extension.languages["kl"].id == len(read_vocabulary(folder).tokens)


CUT = {"model": "small", "pairs": ["es-en"], "entries": 1000}
HEAL = {"pair": "pt-en", "updates": 10, "learning_rate": 1.0e-3}
SHALLOW = {"model": "cut", "encoder": 1, "decoder": 1, "heal": HEAL}
HALF = {"model": "cut", "kind": "weights", "share": 0.5}
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "trimmed, no such model": ({"cut": {"trim": {**CUT, "model": "big"}}}, "'models.cut.trim.model' names 'big'"),
    "trimmed, no such pair": ({"cut": {"trim": {**CUT, "pairs": ["xx-en"]}}}, "'models.cut.trim.pairs' names 'xx-en'"),
    "trimmed twice": (
        {"cut": {"trim": CUT}, "again": {"trim": {**CUT, "model": "cut"}}},
        "'models.again.trim.model' is 'cut', which is made from another model itself; trim that one",
    ),
    "fewer layers, no such model": ({"low": {"drop_layers": SHALLOW}}, "'models.low.drop_layers.model' names 'cut'"),
    "fewer layers, no such pair": (
        {"low": {"drop_layers": {**SHALLOW, "model": "small", "heal": {**HEAL, "pair": "xx-en"}}}},
        "'models.low.drop_layers.heal.pair' names 'xx-en'",
    ),
    "fewer layers twice": (
        {"cut": {"drop_layers": {**SHALLOW, "model": "small"}}, "low": {"drop_layers": SHALLOW}},
        "'models.low.drop_layers.model' is 'cut', which has fewer layers itself",
    ),
    "fewer layers of an extended model": (
        {"cut": {"extend": {"model": "small", "languages": {"ga": {}}}}, "low": {"drop_layers": SHALLOW}},
        "whose vocabulary is extended; extend the one with fewer layers",
    ),
    "pruned, no such model": ({"half": {"prune": HALF}}, "'models.half.prune.model' names 'cut'"),
    "pruned twice": (
        {"cut": {"prune": {**HALF, "model": "small"}}, "half": {"prune": HALF}},
        "'models.half.prune.model' is 'cut', of which 'weights' were pruned already",
    ),
    "pruned after it was extended": (
        {"cut": {"extend": {"model": "small", "languages": {"ga": {}}}}, "half": {"prune": HALF}},
        "whose vocabulary is extended; prune first",
    ),
    "pruned, healed on no such pair": (
        {"half": {"prune": {**HALF, "model": "small", "heal": {**HEAL, "pair": "xx-en"}}}},
        "'models.half.prune.heal.pair' names 'xx-en'",
    ),
    "heads that fill the width": (
        {"half": {"prune": {**HALF, "model": "small", "kind": "heads"}}},
        "'models.half.prune.kind' is 'heads', but the heads of mBART.* in transformers always fill its width",
    ),
    "less than a head": (
        {
            "cut": {"path": "workflow/models/shallow"},
            "half": {"prune": {**HALF, "kind": "heads", "share": 0.01}},
        },
        "'models.half.prune.share' is 0.01, which is less than one of 8 heads",
    ),
    "zeros in shards": (
        {"half": {"prune": {**HALF, "model": "small"}, "gpus": 2, "sharded": True}},
        "'models.half.prune.kind' is 'weights', which can't be kept at zero in shards",
    ),
    "made from itself": (
        {"cut": {"prune": {**HALF, "model": "half"}}, "half": {"prune": {**HALF, "kind": "feed_forward"}}},
        "'models.cut' is made from itself, by way of 'cut', 'half'",
    ),
    "two sources": (
        {"cut": {"trim": CUT, "path": "workflow/models/small"}},
        "must have exactly one of 'drop_layers', ",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_name_their_key(case: str) -> None:
    models, expected = MISTAKES[case]
    with pytest.raises(UserError, match=expected):
        validate(merge(DEFAULT, {"models": models}))


def test_shapes_are_known_before_there_is_any_weight() -> None:
    models = {
        "cut": {"trim": CUT},
        "low": {"drop_layers": SHALLOW},
        "half": {"prune": {**HALF, "kind": "feed_forward"}},
    }
    configuration = validate(merge(DEFAULT, {"models": models}))
    small, cut, low, half = (model_shape(configuration, label) for label in ("small", "cut", "low", "half"))
    assert small.total - cut.total == (small.embeddings // small.d_model - 1000) * small.d_model
    assert cut.total - low.total == sum(own.parameters for own in (*cut.linears, *cut.norms)) - sum(
        own.parameters for own in (*low.linears, *low.norms)
    )
    assert len(low.layers) == 2
    wide = [own for own in cut.linears if own.role == "feed_forward" and own.outputs > own.inputs]
    assert cut.total - half.total == sum((own.parameters + own.inputs * own.outputs) // 2 for own in wide)


def test_the_page_says_what_trimming_saves_on_a_published_model() -> None:
    config = read_json(ROOT / "tests/fixtures/published/nllb-200-distilled-600M/config.json")
    whole = read_shape(config)
    page = (ROOT / "workflow/docs/models.md").read_text(encoding="utf-8")
    for number in (whole.total, whole.embeddings, trimmed_shape(whole, entries=40_000).total):
        assert f"{number:,}" in page


@pytest.mark.slow
def test_models_that_are_trimmed_or_pruned_or_have_fewer_layers_go_through_the_workflow(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy(finished, tmp_path / "sweep")
    overlay = {
        "models": {
            "cut": {"trim": {"model": "small", "pairs": ["es-en"], "entries": 545}},
            "low": {"drop_layers": {**SHALLOW, "heal": {**HEAL, "pair": "es-en", "updates": 20}}},
            "half": {"prune": {**HALF, "kind": "feed_forward"}},
            "zeros": {"prune": {**HALF, "heal": {**HEAL, "pair": "es-en", "updates": 20}}},
        },
        "studies": {"budgets": {"models": ["cut", "low", "half", "zeros"], "methods": ["lora", "none"]}},
        "findings": None,
    }
    code, said = run(folder, overlay=overlay, options=["--target", "study_budgets"])
    assert code == 0, said[-3000:]
    monkeypatch.chdir(folder)
    configuration = load([Path(STUDY.name)])
    base = Path(base_file(configuration, "cut"))
    record = read_record(base)
    assert read_json(Path(record["folder"]) / "config.json")["vocab_size"] == 545
    cells = {cell.model: placed(configuration, cell) for cell in all_cells(configuration) if cell.method == "lora"}
    cell = cells["cut"]
    trained = read_record(cell.folder / "train.json")
    assert trained["total_parameters"] == record["total_parameters"] == model_shape(configuration, "cut").total
    low, half, zeros = (read_record(Path(base_file(configuration, label))) for label in ("low", "half", "zeros"))
    assert low["total_parameters"] == model_shape(configuration, "low").total
    assert half["total_parameters"] == model_shape(configuration, "half").total < record["total_parameters"]
    assert zeros["total_parameters"] == record["total_parameters"]
    assert zeros["origin"]["zeros"] == round(0.5 * zeros["origin"]["weights"])
    assert [own["step"] for own in low["origin"]["dev_history"]][-1] == 20
    # A cell is finished until the text or the model that its own was made from is another one.
    for own in cells.values():
        assert {*current_records(configuration, own)} == {"train", "decode", "score"}
    text = f"{pair_folder(configuration, 'es-en')}/train.tsv"
    assert list(record["origin"]["texts"]) == [text]
    for changed in ({"texts": {text: "0" * 64}}, {"base_sha256": "0" * 64}):
        write_record(base, record | {"origin": record["origin"] | changed})
        for own in cells.values():
            assert current_records(configuration, own) == {}


@pytest.mark.parametrize(("entries", "says"), [(10**6, "write fewer"), (3, "write that many")])
def test_a_wrong_number_of_entries_is_refused(tmp_path: Path, entries: int, says: str) -> None:
    checkpoint = build_checkpoint("t5", tmp_path / "checkpoint")
    with pytest.raises(UserError, match=f"'models.cut.trim.entries' is {entries}.*{says}"):
        kept_tokens(read_vocabulary(checkpoint), checkpoint, {}, entries=entries, key="models.cut.trim.entries")

"""Models with fewer entries in their vocabulary: what text needs, what is frequent, and all that is special."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtpeft.config.load import load, merge, validate
from mtpeft.config.models import model_shape
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
    special_tokens_of,
)
from mtpeft.steps.base_models import base_file
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.freshness import current_records
from mtpeft.steps.train import placed
from mtpeft.steps.trim_model import run as trim_model
from support.config import DEFAULT
from support.family import CHECKPOINTS, build_checkpoint
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
    by_side = (count_words(folder, [pair[place] for pair in READ], side) for place, side in enumerate(SIDES))
    return sum(by_side, start=Counter[int]())


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
                {"model": name, "entries": _least(checkpoint) + SPARE},
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


def test_files_name_forbidden_tokens_by_their_new_numbers(tmp_path: Path) -> None:
    checkpoint = build_checkpoint("marian", tmp_path / "checkpoint")
    tokens = read_vocabulary(checkpoint).tokens
    least = kept_tokens(
        read_vocabulary(checkpoint), checkpoint, _counts(checkpoint), entries=_least(checkpoint), key=""
    )
    pad, gone = tokens.index("<pad>"), next(place for place, token in enumerate(tokens) if token not in least)
    write_record(checkpoint / "generation_config.json", {"bad_words_ids": [[pad], [gone], [0, pad]]})
    take_in_folder({"step_version": 1, "path": str(checkpoint)}, record=tmp_path / "whole/base.json")
    write_pairs(tmp_path / "train.tsv", [SentencePair(str(place), *row) for place, row in enumerate(READ)])
    trim_model(
        {"model": "whole", "entries": _least(checkpoint)},
        base=tmp_path / "whole/base.json",
        texts=[tmp_path / "train.tsv"],
        record=tmp_path / "cut/base.json",
    )
    folder = tmp_path / "cut/trimmed"
    pad = read_vocabulary(folder).tokens.index("<pad>")
    assert read_json(folder / "generation_config.json")["bad_words_ids"] == [[pad], [0, pad]]


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
    models = {"cut": {"trim": CUT}, "low": {"drop_layers": SHALLOW}}
    configuration = validate(merge(DEFAULT, {"models": models}))
    small, cut, low = (model_shape(configuration, label) for label in ("small", "cut", "low"))
    assert small.total - cut.total == (small.embeddings // small.d_model - 1000) * small.d_model
    assert cut.total - low.total == sum(own.parameters for own in (*cut.linears, *cut.norms)) - sum(
        own.parameters for own in (*low.linears, *low.norms)
    )
    assert len(low.layers) == 2


def test_the_page_says_what_trimming_saves_on_a_published_model() -> None:
    config = read_json(ROOT / "tests/fixtures/published/nllb-200-distilled-600M/config.json")
    whole = read_shape(config)
    page = (ROOT / "workflow/docs/models.md").read_text(encoding="utf-8")
    for number in (whole.total, whole.embeddings, trimmed_shape(whole, entries=40_000).total):
        assert f"{number:,}" in page


@pytest.mark.slow
def test_a_trimmed_model_goes_through_the_workflow(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy(finished, tmp_path / "sweep")
    overlay = {
        "models": {"cut": {"trim": {"model": "small", "pairs": ["es-en"], "entries": 545}}},
        "studies": {"budgets": {"models": ["cut"], "methods": ["lora", "none"]}},
        "findings": None,
    }
    code, said = run(folder, overlay=overlay, options=["--target", "study_budgets"])
    assert code == 0, said[-3000:]
    monkeypatch.chdir(folder)
    configuration = load([Path(STUDY.name)])
    base = Path(base_file(configuration, "cut"))
    record = read_record(base)
    assert read_json(Path(record["folder"]) / "config.json")["vocab_size"] == 545
    (labels,) = {cell for cell in all_cells(configuration) if (cell.model, cell.method) == ("cut", "lora")}
    cell = placed(configuration, labels)
    trained = read_record(cell.folder / "train.json")
    assert trained["total_parameters"] == record["total_parameters"] == model_shape(configuration, "cut").total
    # A cell is finished until the text or the model that its own was made from is another one.
    assert {*current_records(configuration, cell)} == {"train", "decode", "score"}
    text = f"{pair_folder(configuration, 'es-en')}/train.tsv"
    assert list(record["origin"]["texts"]) == [text]
    for changed in ({"texts": {text: "0" * 64}}, {"base_sha256": "0" * 64}):
        write_record(base, record | {"origin": record["origin"] | changed})
        assert current_records(configuration, cell) == {}


@pytest.mark.parametrize(("entries", "says"), [(10**6, "write fewer"), (3, "write that many")])
def test_a_wrong_number_of_entries_is_refused(tmp_path: Path, entries: int, says: str) -> None:
    checkpoint = build_checkpoint("t5", tmp_path / "checkpoint")
    with pytest.raises(UserError, match=f"'models.cut.trim.entries' is {entries}.*{says}"):
        kept_tokens(read_vocabulary(checkpoint), checkpoint, {}, entries=entries, key="models.cut.trim.entries")

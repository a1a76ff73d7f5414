"""Models with more entries in their vocabulary: tokens of new languages, and pieces of new text."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtpeft.cells import Cell
from mtpeft.config.load import load, merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_lines, read_record, write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.data.encode import encode_pair
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.decoding.search import translate
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.models.architecture import NEW_ENTRIES
from mtpeft.models.derived.extend import copy_files, copy_weights
from mtpeft.models.families import read_json
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.local import take_in_folder
from mtpeft.models.tokenizer import detokenise, encode, open_tokenizer, special_tokens_of
from mtpeft.steps.base_models import base_file
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.extend_model import run as extend_model
from mtpeft.steps.freshness import current_records
from mtpeft.steps.train import placed
from mtpeft.training.attempt_log import attempting
from mtpeft.training.finetune import CellInputs, prepare_training, run_training, save_tuned
from support.config import DEFAULT
from support.family import build_checkpoint, family_params
from support.model import SPANISH_ENGLISH, inputs
from support.sweep import STUDY, copy, located, run

NEW = "kl"
"""Greenlandic, which no family has a token for."""
ENTRIES = 12
KNOWN, NEW_PAIR = {"source": "es", "target": "en"}, {"source": NEW, "target": "en"}
SIDES = {"source": [source for source, _ in SPANISH_ENGLISH], "target": [target for _, target in SPANISH_ENGLISH]}
LETTERS = "řšßŘ"
"""Czech and German letters, of which the text of the checkpoints has none."""
BY_TOKEN = ("mbart25", "mbart50", "m2m100", "nllb")
# T5 has no biases, and this one an output projection of its own.
TRAINED = [
    *product(("nllb", "t5_1.1"), ("full", "adapter", "lora", "prefix", "layernorm")),
    *product(("nllb",), ("bitfit", "lora_embeddings")),
    *product(("student",), ("full", "adapter", "lora")),
]
Extend = Callable[..., Path]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Extend:
    """The folder of a family's checkpoint with new entries, made once; the checkpoint lies in `checkpoint/` above."""
    made: dict[tuple[Any, ...], Path] = {}

    def of(name: str, languages: dict[str, str | None] | None = None, pieces: int = 0, letters: str = "") -> Path:
        asked = (name, str(languages), pieces, letters)
        if asked not in made:
            folder = tmp_path_factory.mktemp(name)
            checkpoint = build_checkpoint(name, folder / "checkpoint")
            take_in_folder({"step_version": 1, "path": str(checkpoint)}, record=folder / name / "base.json")
            rows = [SentencePair(str(place), *row) for place, row in enumerate(SPANISH_ENGLISH)]
            write_pairs(folder / "train.tsv", rows)
            extend_model(
                {
                    "languages": languages or {},
                    "pieces": pieces,
                    "sides": ["source"] if pieces else [],
                    "letters": letters,
                },
                base=folder / name / "base.json",
                texts=[folder / "train.tsv"] if pieces else [],
                record=folder / "wide/base.json",
            )
            made[asked] = folder / "wide" / "extended"
        return made[asked]

    return of


def _base(folder: Path) -> Path:
    return folder.parents[1] / "checkpoint"


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("name", [*BY_TOKEN, "marian_multi"])
def test_a_new_language_reads_as_the_one_that_it_is_like_with_a_token_of_its_own(
    extended: Extend, name: str, side: str
) -> None:
    like = "en" if name == "marian_multi" else "es"
    folder = extended(name, {NEW: like})
    languages = {"source": "en" if like == "es" else "es", "target": "en", side: NEW}
    tokenizer = open_tokenizer(folder, languages, vocabulary="wide")
    new = tokenizer.extension.languages[NEW]
    like_opened = open_tokenizer(_base(folder), {**languages, side: like}, vocabulary="tiny")
    entries = read_json(_base(folder) / "config.json")["vocab_size"]
    assert new.id == entries
    for one in ("source", "target"):
        expected = encode(like_opened, SIDES["source"], one, max_length=60)
        (stand_in,) = {*tokenizer.stand_ins[one]} or {None}
        found = encode(tokenizer, SIDES["source"], one, max_length=60)
        assert found == [[new.id if token == stand_in else token for token in row] for row in expected]
    # Marian writes the target language before the source, and nothing of the source language anywhere.
    said = [
        *encode(tokenizer, ["uno"], side, max_length=60)[0],
        *encode(tokenizer, ["uno"], "source", max_length=60)[0],
    ]
    assert (new.id in said) == (name != "marian_multi" or side == "target")
    config = load_base(folder).config
    assert (new.id in special_tokens_of(tokenizer, config).begin) == (side == "target" and name != "marian_multi")
    assert detokenise(tokenizer, [[new.id, *encode(tokenizer, ["uno dos"], "target", max_length=60)[0]]]) == ["uno dos"]


@pytest.mark.parametrize("like", ["es", None])
def test_the_row_of_a_new_language_begins_as_the_one_that_it_is_like_or_as_the_mean_of_all(
    extended: Extend, like: str | None
) -> None:
    folder = extended("nllb", {NEW: like})
    tokenizer = open_tokenizer(folder, NEW_PAIR, vocabulary="wide")
    weight = load_base(folder).get_input_embeddings().weight
    known = ["spa_Latn"] if like else sorted(tokenizer.names)
    rows = weight[tokenizer.pretrained.convert_tokens_to_ids(known)]
    torch.testing.assert_close(weight[tokenizer.extension.languages[NEW].id], rows.mean(dim=0))
    assert torch.equal(weight[:-1], load_base(_base(folder)).get_input_embeddings().weight)


@pytest.mark.parametrize("name", [*BY_TOKEN, "marian", "t5", "t5_1.1", "mt5"])
def test_new_entries_are_the_mean_of_what_they_replace_in_every_tensor(tmp_path: Path, name: str) -> None:
    """Every tensor of the file in which an entry has a place; a bias that was learnt is one of them."""
    folder = build_checkpoint(name, tmp_path / "checkpoint")
    weights = load_file(folder / "model.safetensors")
    entries = read_json(folder / "config.json")["vocab_size"]
    if "final_logits_bias" in weights:
        weights["final_logits_bias"] = torch.linspace(-9, -6, entries)[None]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (tmp_path / "wide").mkdir()
    rows = [(2, 3), (20, 21, 22)]
    copy_files(folder, tmp_path / "wide")
    copy_weights(folder, tmp_path / "wide", rows)
    wide = load_file(tmp_path / "wide/model.safetensors")
    sized = {
        key: place for key, tensor in weights.items() for place, size in enumerate(tensor.shape) if size == entries
    }
    assert sized.keys() >= ({"final_logits_bias"} if name.startswith(("mbart", "marian")) else {*()})
    assert len(sized) >= 1
    for key, tensor in weights.items():
        if key not in sized:
            assert torch.equal(wide[key], tensor)
            continue
        place = sized[key]
        assert wide[key].shape[place] == entries + len(rows)
        assert torch.equal(wide[key].narrow(place, 0, entries), tensor)
        for new, row in enumerate(rows):
            expected = tensor.index_select(place, torch.tensor(row)).mean(dim=place)
            torch.testing.assert_close(wide[key].select(place, entries + new), expected)
    assert load_base(tmp_path / "wide").config.vocab_size == entries + len(rows)


@pytest.mark.parametrize("name", [*BY_TOKEN, "marian", "t5", "t5_1.1", "mt5"])
def test_new_pieces_make_text_shorter_and_lose_nothing_of_it(extended: Extend, name: str) -> None:
    folder = extended(name, pieces=ENTRIES)
    tokenizer, before = (open_tokenizer(own, KNOWN, vocabulary="wide") for own in (folder, _base(folder)))
    sentences = [*SIDES["source"], "", "¿Dónde está la puerta </s> del jardín? 語 🙂"]
    short, long = (encode(own, sentences, "source", max_length=60) for own in (tokenizer, before))
    assert sum(map(len, short)) < sum(map(len, long))
    assert [tokenizer.extension.spelt_out(row) for row in short] == long
    assert detokenise(tokenizer, short) == detokenise(before, long)
    assert len(tokenizer.extension.pieces) == read_json(folder / "config.json")[NEW_ENTRIES] == ENTRIES
    origin = read_record(folder.parent / "base.json")["origin"]
    assert origin["tokens_after"] < origin["tokens_before"]
    weight = load_base(folder).get_input_embeddings().weight
    entry, replaced = next(iter(tokenizer.extension.pieces.items()))
    torch.testing.assert_close(weight[entry], weight[list(replaced)].mean(dim=0))


@pytest.mark.parametrize("name", ["marian", "student"])
def test_words_with_new_letters_are_read_and_others_as_before(extended: Extend, name: str) -> None:
    folder = extended(name, letters=LETTERS)
    tokenizer, before = (open_tokenizer(own, KNOWN, vocabulary="wide") for own in (folder, _base(folder)))
    known = [*SIDES["source"], "", "¿Dónde está la puerta </s> del jardín? 語 🙂"]
    for side in ("source", "target"):
        found, expected = (encode(own, known, side, max_length=60) for own in (tokenizer, before))
        assert found == expected
        rows = encode(tokenizer, ["casa ře", "šß la Ř"], side, max_length=60)
        assert tokenizer.pretrained.unk_token_id not in {token for row in rows for token in row}
        assert detokenise(tokenizer, rows) == ["casa ře", "šß la Ř"]
    weights, old = (load_base(own).get_input_embeddings().weight for own in (folder, _base(folder)))
    first = read_json(_base(folder) / "config.json")["vocab_size"]
    like = [before.pretrained.convert_tokens_to_ids(token) for token in ("r", "s", "<unk>", "R")]
    assert torch.equal(weights[first:], old[like])
    assert read_json(folder / "config.json")[NEW_ENTRIES] == len(LETTERS)


def test_letters_stand_before_new_pieces(extended: Extend) -> None:
    folder = extended("student", pieces=ENTRIES, letters=LETTERS)
    tokenizer = open_tokenizer(folder, KNOWN, vocabulary="wide")
    first = read_json(_base(folder) / "config.json")["vocab_size"] + len(LETTERS)
    assert sorted(tokenizer.extension.pieces) == list(range(first, first + ENTRIES))
    sentences = [*SIDES["source"], "casa ře"]
    rows = encode(tokenizer, sentences, "source", max_length=60)
    assert {*tokenizer.extension.pieces} & {token for row in rows for token in row}
    assert detokenise(tokenizer, rows) == sentences


def test_what_is_too_long_is_cut_after_it_is_shortened(extended: Extend) -> None:
    tokenizer = open_tokenizer(extended("nllb", pieces=ENTRIES), KNOWN, vocabulary="wide")
    (row,) = encode(tokenizer, [" ".join(SIDES["source"])], "source", max_length=20)
    (whole,) = encode(tokenizer, [" ".join(SIDES["source"])], "source", max_length=1000)
    assert row == [*whole[:19], whole[-1]]


@pytest.mark.parametrize(("name", "method"), TRAINED)
def test_new_entries_are_trained_with_every_method_and_counted(
    extended: Extend, sweep: Path, tmp_path: Path, name: str, method: str
) -> None:
    prepare_torch(1)
    folder = extended(name, {NEW: "es"} if name == "nllb" else {}, ENTRIES, LETTERS if name == "student" else "")
    languages = NEW_PAIR if name == "nllb" else KNOWN
    given = _inputs(folder, sweep, tmp_path, languages)
    params = family_params(method) | {"languages": languages}
    job = prepare_training(params, given)
    shape, allocation = job.counted.shape, job.counted.allocation
    rows = shape.new_entries * shape.d_model * shape.matrices
    if method not in ("full", "lora_embeddings"):
        assert allocation.sizes[f"{shape.embedding_module}.{NEW_ENTRIES}"] == 1
        assert allocation.trained >= rows
    with attempting(tmp_path / "state") as attempt:
        trained, run_ = run_training(job, state_folder=tmp_path / "state", preemption=attempt.preemption)
    before = _observed(trained, given, folder, languages)
    opened = open_tuned(folder, save_tuned(trained, tmp_path / "tuned", diverged=False))
    assert torch.equal(_observed(opened, given, folder, languages), before)
    if method in ("lora", "lora_embeddings", "bitfit"):
        merged = opened.merge_and_unload()
        torch.testing.assert_close(_observed(merged, given, folder, languages), before, rtol=1e-4, atol=1e-4)
    if run_.best_step and method not in ("full", "lora_embeddings"):
        untouched = load_base(folder).get_input_embeddings().weight
        weight = trained.get_input_embeddings().weight
        assert not torch.equal(weight[-shape.new_entries :], untouched[-shape.new_entries :])
        assert torch.equal(weight[: -shape.new_entries], untouched[: -shape.new_entries])


def _inputs(folder: Path, sweep: Path, tmp_path: Path, languages: dict[str, str]) -> CellInputs:
    given, pairs = inputs(sweep), sweep / "data/pairs/es-en"
    arrays = {pairs / f"{part}.tsv": tmp_path / f"{part}.safetensors" for part in ("train", "dev")}
    encode_pair({**languages, "vocabulary": "wide"}, tokenizer=folder, parts=arrays)
    train, dev = arrays.values()
    return replace(given, base=folder.parent / "base.json", train=train, dev=dev)


def _observed(model: torch.nn.Module, given: CellInputs, folder: Path, languages: dict[str, str]) -> torch.Tensor:
    model.eval()
    special_tokens = special_tokens_of(open_tokenizer(folder, languages, vocabulary="wide"), load_base(folder).config)
    source = read_arrays(given.dev).source
    rows = [source[row] for row in range(8)]
    found = translate(
        model,
        rows,
        DecodingOptions(beam_size=1, length_penalty=1.0, max_length_ratio=1.0),
        special_tokens=special_tokens,
    )
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=special_tokens.pad)
    begin = torch.tensor([list(special_tokens.begin)] * len(rows))
    with torch.no_grad():
        logits = model(input_ids=tokens, attention_mask=tokens != special_tokens.pad, decoder_input_ids=begin).logits
    return torch.cat([logits.flatten(), torch.tensor([float(token) for row in found for token in row])])


REFUSED = {
    "a language that is known": ("nllb", {"es": None}, 0, "", "which the model knows as 'spa_Latn'"),
    "like an unknown one": ("nllb", {NEW: "ik"}, 0, "", r"'models\.wide\.extend\.languages\.kl\.like' is 'ik'"),
    "a family without tokens": ("t5", {NEW: "es"}, 0, "", "T5 has no token for any language"),
    "too many pieces": ("nllb", {}, 100_000, "", "100000 new pieces can't be learnt"),
    "a letter that is known": ("student", {}, 0, "řea", "the vocabulary has 'e', 'a' already; take them out"),
    "a letter that is read as another": ("student", {}, 0, "ⅷ", "the vocabulary reads 'ⅷ' as 'viii'; write what it"),
    "letters of another kind of vocabulary": ("nllb", {}, 0, "ř", r"'models\.wide\.extend\.letters': letters can be"),
    "letters where languages follow the vocabulary": ("m2m100", {}, 0, "ř", "tokens for languages stand behind it"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_additions_are_refused(extended: Extend, case: str) -> None:
    name, languages, pieces, letters, expected = REFUSED[case]
    with pytest.raises(UserError, match=expected):
        extended(name, languages, pieces, letters)


def _wide(**extension: Any) -> dict[str, Any]:
    return {
        "pairs": {"ga-en": {"corpus": "interface"}},
        "models": {"wide": {"extend": {"model": "small"} | extension}},
    }


PIECES = {"language": "ga", "pairs": ["ga-en"], "entries": 40}
TWO_STAGES = {"method": "staged", "stages": ["prefix", "lora"], "sizes": [4], "rate_factors": [10, 1]}
MISTAKES = {
    "no such model": (_wide(model="big", pieces=PIECES), "'models.wide.extend.model' names 'big'"),
    "nothing to add": (_wide(), "'models.wide.extend' adds nothing"),
    "a letter twice": (_wide(letters="ořo"), "'models.wide.extend.letters' names 'o' twice"),
    "a mark alone": (_wide(letters="ř\u0308"), "'models.wide.extend.letters' has the mark"),
    "a space": (_wide(letters="ř š"), "'models.wide.extend.letters' has a space"),
    "another language": (_wide(pieces={**PIECES, "pairs": ["es-en"]}), "names 'es-en', which do not have 'ga'"),
    "twice extended": (
        merge(_wide(pieces=PIECES), {"models": {"wider": {"extend": {"model": "wide", "pieces": PIECES}}}}),
        "extends another model itself",
    ),
    "stages": (
        merge(
            _wide(languages={"ga": {"like": "es"}}, pieces=PIECES),
            {
                "methods": {"two": {**TWO_STAGES, "learning_rate": 1.0e-3}},
                "studies": {"budgets": {"models": ["wide"], "pairs": ["ga-en"], "methods": ["two"], "also": []}},
            },
        ),
        "names 'two', but 'wide' has new entries in its vocabulary, which methods of one stage alone can train",
    ),
    "no token": (
        merge(_wide(pieces=PIECES), {"studies": {"budgets": {"models": ["wide"], "pairs": ["ga-en"]}}}),
        "has no token for 'ga'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_name_their_key(case: str) -> None:
    given, expected = MISTAKES[case]
    with pytest.raises(UserError, match=expected):
        validate(merge(DEFAULT, given))


@pytest.mark.slow
def test_a_language_that_the_model_never_saw_goes_through_the_workflow(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy(finished, tmp_path / "sweep")
    study = {"models": ["wide"], "pairs": ["ga-en"], "sizes": ["n80"], "methods": ["lora", "none"]}
    overlay = merge(
        _wide(languages={"ga": {"like": "es"}}, pieces=PIECES),
        {"sizes": {"n80": {"pairs": 80, "updates": 20}}, "studies": {"budgets": study}},
    )
    code, said = run(folder, overlay={**overlay, "findings": None}, options=["--target", "study_budgets"])
    assert code == 0, said[-3000:]
    trained = read_record(located(folder, "results/cells/wide/ga-en/n80/lora/b5/1/train.json"))
    assert trained["status"] == "ok"
    assert trained["sizes"]["model.shared.new_entries"] == 1
    assert trained["trained_parameters"] > 41 * 32
    hypotheses = located(folder, "results/cells/wide/ga-en/n80/lora/b5/1/hypotheses/test.txt")
    tested = read_lines(located(folder, "data/pairs/ga-en/test.tsv"))[1:]
    assert len(read_lines(hypotheses)) == len(tested) > 10
    monkeypatch.chdir(folder)
    configuration = load([Path(STUDY.name)])
    cell = placed(configuration, Cell("wide", "ga-en", "n80", "lora", "b5", "1"))
    _holds_while_its_origin_does(configuration, cell)


def _holds_while_its_origin_does(configuration: Configuration, cell: Cell) -> None:
    """A cell is finished until the text or the model that its own was made from is another one."""
    assert {*current_records(configuration, cell)} == {"train", "decode", "score"}
    base, text = Path(base_file(configuration, "wide")), f"{pair_folder(configuration, 'ga-en')}/train.tsv"
    record = read_record(base)
    assert list(record["origin"]["texts"]) == [text]
    for changed in ({"texts": {text: "0" * 64}}, {"base_sha256": "0" * 64}):
        write_record(base, record | {"origin": record["origin"] | changed})
        assert current_records(configuration, cell) == {}

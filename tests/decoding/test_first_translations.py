"""A base model at work before any training: what is recorded and shown, and what is doubted."""

import os
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cells import label_of
from mtpeft.config.load import validate
from mtpeft.core.files import read_record, write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.core.records import StartRecord
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.tsv import read_pairs
from mtpeft.decoding.first_translations import at_work
from mtpeft.decoding.search import translate
from mtpeft.front.previews import FirstTranslations
from mtpeft.metrics.chrf import corpus_chrf as chrf
from mtpeft.models.load import load_base
from mtpeft.models.tokenizer import detokenise, open_tokenizer, special_tokens_of
from mtpeft.steps.cells_of_studies import start_records
from mtpeft.training.evaluate import evaluate_base
from support.config import DEFAULT
from support.model import decode_params, inputs

ENGLISH = ["The garden is closed today.", "Nobody has seen the letter.", "We will open the door at noon."]
SPANISH = ["El jardín está cerrado hoy.", "Nadie ha visto la carta.", "Abriremos la puerta al mediodía."]
GERMAN = ["Der Garten ist heute geschlossen.", "Niemand hat den Brief gesehen.", "Wir öffnen mittags die Tür."]
CASES = {
    "as good as the references": (ENGLISH, 60.0, []),
    "all the same": ([ENGLISH[0]] * 3, 20.0, ["all 3 translations are the same"]),
    "empty": ([ENGLISH[0], "", " "], 20.0, ["2 of 3 translations are empty"]),
    "another language": (GERMAN, 12.0, ["the translations read as 'de', the references as 'en'"]),
    "copies": (
        SPANISH,
        14.0,
        ["3 of 3 translations are copies of their sources", "the translations read as 'es', the references as 'en'"],
    ),
    "no translation": (ENGLISH, 4.0, ["chrF 4.0 is what a model has that never learnt to translate this pair"]),
}


@pytest.mark.parametrize(("hypotheses", "score", "doubts"), CASES.values(), ids=CASES)
def test_odd_first_translations_give_warnings(hypotheses: list[str], score: float, doubts: list[str]) -> None:
    seen = at_work(SPANISH, hypotheses, ENGLISH, source_tokens=["▁El"], begins_with=["</s>"], score=score)
    assert len(seen.doubts) == len(doubts)
    assert all(found.startswith(wanted) for found, wanted in zip(seen.doubts, doubts, strict=True))
    assert all((row.source, row.reference) in zip(SPANISH, ENGLISH, strict=True) for row in seen.examples)


@pytest.fixture(scope="module")
def start(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of a base model at work."""
    given, record = inputs(sweep), tmp_path_factory.mktemp("start") / "tiny/start/es-en.json"
    evaluate_base(decode_params(), base=given.base, dev=given.dev, dev_text=given.dev_text, record=record)
    return record


def test_the_record_has_what_the_model_reads_and_writes(sweep: Path, start: Path) -> None:
    given, record = inputs(sweep), StartRecord.model_validate(read_record(start))
    folder = Path(read_record(given.base)["folder"])
    model, tokenizer = (
        load_base(folder).eval(),
        open_tokenizer(folder, decode_params()["languages"], vocabulary="tiny"),
    )
    special_tokens, dev = special_tokens_of(tokenizer, model.config), read_arrays(given.dev).source
    pairs = list(read_pairs(given.dev_text))
    rows = translate(
        model,
        [dev[row] for row in range(len(dev))],
        DecodingOptions(**decode_params()["search"]),
        special_tokens=special_tokens,
    )
    hypotheses = detokenise(tokenizer, rows)
    assert record.dev_score == chrf(hypotheses, [pair.target for pair in pairs])
    assert record.at_work is not None
    assert record.at_work.source_tokens[0] == tokenizer.source
    assert record.at_work.decoding_begins_with == tokenizer.pretrained.convert_ids_to_tokens(list(special_tokens.begin))
    whole = [(pair.source, text, pair.target) for pair, text in zip(pairs, hypotheses, strict=True)]
    assert len(record.at_work.examples) == 3
    assert all((row.source, row.hypothesis, row.reference) in whole for row in record.at_work.examples)


def test_a_sweep_shows_each_new_model_once_and_only_warnings_for_earlier_ones(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = validate(DEFAULT)
    files = [Path(file) for file in start_records(configuration)]
    record = read_record(start)
    write_record(files[0], record | {"at_work": record["at_work"] | {"doubts": ["all 9 translations are the same"]}})
    write_record(files[1], {key: value for key, value in record.items() if key != "at_work"})
    shown = FirstTranslations(configuration)
    shown.report_all()
    model, pair = label_of(files[0].parts[-3]), label_of(files[0].stem)
    assert capsys.readouterr().out == f"mtpeft: look at '{model}' on {pair}: all 9 translations are the same.\n"
    write_record(files[2], record)
    shown.report_all()
    os.utime(files[2], (0, 0))  # as Snakemake does when the job has ended
    shown.report_all()
    said = capsys.readouterr().out.splitlines()
    model, pair = label_of(files[2].parts[-3]), label_of(files[2].stem)
    assert said[0].startswith(f"mtpeft: '{model}' untouched on the dev set of {pair}: chrF ")
    assert sum(line.startswith("  - source") for line in said) == 3

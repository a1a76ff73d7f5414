"""Decoding: search options, hypotheses and scores."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from sacrebleu.metrics import BLEU, CHRF

from mtpeft.core.files import read_lines, read_record, write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.data.tsv import read_pairs
from mtpeft.decoding import search as searching
from mtpeft.decoding.decode import decode
from mtpeft.decoding.hypotheses import write_hypotheses
from mtpeft.decoding.retrieval import pass_divergence_on, retrieve
from mtpeft.decoding.search import EXTRA_TOKENS, translate
from mtpeft.metrics.score import score
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, detokenise, encode, open_tokenizer, special_tokens_of
from mtpeft.training.untrained import record_untrained
from support.model import MAX_POSITIONS, SEARCH, SPANISH_ENGLISH, arrays, cell, decode_params
from support.record import schema_mistakes

SCHEMAS = Path(__file__).parents[2] / "workflow/schemas"
GREEDY = DecodingOptions(**SEARCH)
BEAM = DecodingOptions(**(SEARCH | {"beam_size": 4}))
SEARCHES = pytest.mark.parametrize("search", [GREEDY, BEAM], ids=["greedy", "beam"])


@pytest.fixture(scope="module")
def base(sweep: Path) -> torch.nn.Module:
    prepare_torch(1)
    return load_base(sweep / "results/models/tiny/checkpoint").eval()


@pytest.fixture(scope="module")
def tokenizer(sweep: Path) -> PairTokenizer:
    return open_tokenizer(sweep / "results/models/tiny/checkpoint", {"source": "es", "target": "en"}, vocabulary="tiny")


@pytest.fixture(scope="module")
def special_tokens(tokenizer: PairTokenizer, base: torch.nn.Module) -> SpecialTokens:
    return special_tokens_of(tokenizer, base.config)


@pytest.fixture(scope="module")
def sources(tokenizer) -> list[torch.Tensor]:
    """The Spanish sentences of any part, short and long, and one that fills the model's positions."""
    text = [*(row[0] for row in SPANISH_ENGLISH), "Reinicia el ordenador para continuar. " * 9]
    return [torch.tensor(row) for row in encode(tokenizer, text, "source", max_length=MAX_POSITIONS)]


@SEARCHES
def test_search_is_that_of_transformers_on_single_sentences(base, tokenizer, special_tokens, sources, search) -> None:
    english = tokenizer.pretrained.convert_tokens_to_ids("en_XX")
    chosen = [sources[0], sources[7], sources[-1]]
    found = translate(base, chosen, search, special_tokens=special_tokens)
    for source, tokens in zip(chosen, found, strict=True):
        limit = min(MAX_POSITIONS - 1, int(search.max_length_ratio * len(source)) + EXTRA_TOKENS)
        own = base.generate(
            input_ids=source[None].long(),
            num_beams=search.beam_size,
            early_stopping=False,
            forced_bos_token_id=english,
            forced_eos_token_id=2,
            max_new_tokens=limit + 1,
        )[0].tolist()
        assert own[:2] == [2, english]
        assert [*tokens, 2] == own[2:]


@SEARCHES
def test_hypotheses_do_not_depend_on_batches_or_order(base, special_tokens, sources, search) -> None:
    def found(rows: list[int], batch_tokens: int) -> list[list[int]]:
        result = translate(
            base, [sources[row] for row in rows], search, special_tokens=special_tokens, batch_tokens=batch_tokens
        )
        return [tokens for _, tokens in sorted(zip(rows, result, strict=True))]

    rows = list(range(0, len(sources), 2))
    expected = found(rows, 64)
    assert len({len(tokens) for tokens in expected}) > 3
    assert found(rows, 512) == expected
    assert found(random.Random(1).sample(rows, len(rows)), 8192) == expected


@SEARCHES
def test_a_batch_too_large_for_memory_is_translated_in_parts(
    base, special_tokens, sources, search, monkeypatch
) -> None:
    some = sources[::4]
    expected = translate(base, some, search, special_tokens=special_tokens)
    sizes: list[int] = []

    def with_little_memory(model: torch.nn.Module, rows: Sequence[torch.Tensor], *given: Any, **named: Any) -> Any:
        sizes.append(len(rows))
        if len(rows) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return plain(model, rows, *given, **named)

    plain = searching._search
    monkeypatch.setattr(searching, "_search", with_little_memory)
    assert translate(base, some, search, special_tokens=special_tokens) == expected
    assert max(sizes) > 6


def test_nothing_to_translate(base, tokenizer, special_tokens) -> None:
    assert translate(base, [], GREEDY, special_tokens=special_tokens) == []
    assert detokenise(tokenizer, []) == []


def test_every_hypothesis_ends_at_its_own_limit(base, special_tokens, sources) -> None:
    found = translate(
        base,
        sources,
        DecodingOptions(beam_size=1, length_penalty=1.0, max_length_ratio=0.1),
        special_tokens=special_tokens,
    )
    limits = [int(0.1 * len(source)) + EXTRA_TOKENS - 1 for source in sources]
    assert all(len(tokens) <= limit for tokens, limit in zip(found, limits, strict=True))
    assert any(len(tokens) == limit for tokens, limit in zip(found, limits, strict=True))


@pytest.fixture(scope="module")
def decoded(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the untouched base, decoded and scored."""
    folder = tmp_path_factory.mktemp("none")
    base = sweep / "results/models/tiny/base.json"
    record_untrained({"method": {"method": "none"}}, cell("none"), base=base, subset=None, record=folder / "train.json")
    tests = {"test": arrays(sweep, "test")}
    decode(decode_params(), cell("none"), trained=folder / "train.json", tests=tests, record=folder / "decode.json")
    _score(sweep, folder, "en")
    return folder


def _score(sweep: Path, folder: Path, target: str) -> None:
    references = {"test": sweep / "data/pairs/es-en/test.tsv"}
    params = {"step_version": 1, "source": "es", "target": target}
    score(params, cell("none"), decoded=folder / "decode.json", references=references, record=folder / "score.json")


def test_hypotheses_are_plain_lines(sweep: Path, decoded: Path, tokenizer) -> None:
    text = (decoded / "hypotheses/test.txt").read_text(encoding="utf-8")
    assert text.count("\n") == len(read_pairs(sweep / "data/pairs/es-en/test.tsv"))
    assert not [token for token in tokenizer.pretrained.all_special_tokens if token in text]
    assert text.strip()


def test_special_tokens_that_a_model_makes_are_left_out(tokenizer) -> None:
    tokens = tokenizer.pretrained.convert_tokens_to_ids(["▁", "de_DE", "<mask>", "<s>", "<pad>", "ca_XX", "▁"])
    assert detokenise(tokenizer, [tokens])[0].strip() == ""


def test_line_ends_inside_a_hypothesis_become_spaces(tmp_path: Path) -> None:
    write_hypotheses(tmp_path, "test", ["two\nlines", "three\r\nlines\u2028", ""])
    assert read_lines(tmp_path / "hypotheses/test.txt") == ["two lines", "three  lines\u2028", ""]


@pytest.mark.parametrize("step", ["train", "decode", "score"])
def test_records_follow_their_schemas(decoded: Path, step: str) -> None:
    assert schema_mistakes(decoded / f"{step}.json", step) == []


def test_base_record_follows_its_schema(sweep: Path) -> None:
    assert schema_mistakes(sweep / "results/models/tiny/base.json", "base") == []


def test_retrieval_copies_the_target_of_the_nearest_source(sweep: Path, tmp_path: Path) -> None:
    pairs = sweep / "data/pairs/es-en"
    retrieve(
        {"step_version": 1},
        cell("retrieval"),
        trained=pairs / "train.tsv",
        memory=pairs / "train.tsv",
        subset=pairs / "subsets/n44.txt",
        tests={"test": pairs / "test.tsv", "known": pairs / "train.tsv"},
        record=tmp_path / "decode.json",
    )
    targets = [row.target for row in read_pairs(pairs / "train.tsv")]
    assert read_lines(tmp_path / "hypotheses/known.txt") == targets
    assert set(read_lines(tmp_path / "hypotheses/test.txt")) <= set(targets)


def test_divergence_is_passed_on_without_scores(sweep: Path, tmp_path: Path) -> None:
    tests = {"test": arrays(sweep, "test")}
    trained = sweep / "results/models/tiny/base.json"
    pass_divergence_on(decode_params(), cell("full"), trained=trained, tests=tests, record=tmp_path / "decode.json")
    _score(sweep, tmp_path, "en")
    record = read_record(tmp_path / "score.json")
    assert (record["status"], record["test_sets"]) == ("diverged", {})


def test_scores_are_those_of_sacrebleu(sweep: Path, decoded: Path) -> None:
    hypotheses = read_lines(decoded / "hypotheses/test.txt")
    references = [row.target for row in read_pairs(sweep / "data/pairs/es-en/test.tsv")]
    scored = read_record(decoded / "score.json")["test_sets"]["test"]
    for name, own in (("chrf", CHRF()), ("bleu", BLEU())):
        assert scored[name]["score"] == own.corpus_score(hypotheses, [references]).score
        assert scored[name]["signature"] == f"{own.get_signature()}|text:NFC"
    assert scored["chrf"]["score"] > 0


def test_scores_are_the_same_bytes_every_time(sweep: Path, decoded: Path) -> None:
    before = (decoded / "score.json").read_bytes()
    _score(sweep, decoded, "en")
    assert (decoded / "score.json").read_bytes() == before


def test_missing_hypotheses_are_an_error_not_a_score(sweep: Path, tmp_path: Path) -> None:
    write_record(tmp_path / "decode.json", {"status": "ok"})
    with pytest.raises(FileNotFoundError):
        _score(sweep, tmp_path, "en")

"""Effective rank of hidden states: the measure, the layers, the step, and the cells that it is measured for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtpeft.analysis.representations import write_representations
from mtpeft.cells import Cell
from mtpeft.config.load import merge, validate
from mtpeft.config.model_shapes import vocabulary_of
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, sha256_of, write_record
from mtpeft.core.records import RepresentationRecord
from mtpeft.data.token_arrays import TokenPairs, read_arrays
from mtpeft.decoding.representations import GramMatrix, hooked_layers, layer_states, measure_representations
from mtpeft.methods import METHODS, options_of
from mtpeft.models.load import load_base
from mtpeft.steps.cells_of_studies import all_represented, cell_files, study_tables
from mtpeft.steps.freshness import is_represented
from mtpeft.training.finetune import finetune
from support.adapter import SPECIAL_TOKENS
from support.config import DEFAULT
from support.method import Subject, batch, stir, write_base
from support.method_cases import CASES
from support.model import MAX_POSITIONS, arrays, cell, inputs, train_params
from support.steps import inputs_of, params_of
from support.sweep import planned

STUDY = {
    "models": ["small"],
    "pairs": ["pt-en"],
    "sizes": ["n400"],
    "methods": ["lora", "none"],
    "budgets": ["b10"],
    "seeds": [1, 2],
}
LORA = Cell("small", "pt-en", "n400", "lora", "b10", "1")
NONE = Cell("small", "pt-en", "any", "none", "any", "any")
LAST = {"mbart": "layer_norm", "t5": "final_layer_norm"}
"""The layer norm after the last layer of a side."""


def represented_records(configuration: Configuration) -> list[str]:
    """Records of representations, and tables of them."""
    tables = [table for table in study_tables(configuration) if table.endswith("representations.csv")]
    return [*cell_files(all_represented(configuration), "representations.json"), *tables]


def seen(*parts: torch.Tensor) -> GramMatrix:
    rows = GramMatrix()
    for part in parts:
        rows.add(part)
    return rows


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (torch.eye(6), 6.0),
        (3 * torch.eye(6)[:, :4].repeat(5, 1), 4.0),
        (torch.outer(torch.arange(1.0, 9.0), torch.ones(5)), 1.0),
        (torch.diag(torch.tensor([3.0, 1.0])), 4 / 3**0.75),
        (torch.zeros(4, 3), 0.0),
    ],
    ids=["identity", "four directions alike", "rank one", "two unlike", "nought"],
)
def test_the_effective_rank_of_known_matrices(matrix: torch.Tensor, expected: float) -> None:
    assert seen(matrix).effective_rank == pytest.approx(expected, abs=1e-4)


def test_rows_may_come_in_parts() -> None:
    rows = torch.randn(50, 7, generator=torch.Generator().manual_seed(1))
    singular = np.linalg.svd(rows.double().numpy(), compute_uv=False)
    shares = singular / singular.sum()
    parts = seen(rows[:20], rows[20:])
    assert parts.count == 50
    assert parts.effective_rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-9)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: write_base(family, tmp_path_factory.mktemp("bases") / family) for family in LAST}


@pytest.mark.parametrize(
    ("family", "method"), [*(("mbart", method) for method in CASES), ("t5", "adapter"), ("t5", "lora")]
)
def test_hidden_states_are_the_inputs_of_the_next_layer(family: str, method: str, bases: dict[str, Path]) -> None:
    case = CASES[method]
    subject = Subject(bases[family], case.options, case.share)
    model = subject.stirred()
    found: dict[str, torch.Tensor] = {}
    read: list[torch.Tensor] = []
    # The norm at the end of each side has the layer's output as its input.
    norms = [
        module
        for name, module in model.named_modules()
        if name.replace("base_layer.", "").split(".")[-2:] in (["encoder", LAST[family]], ["decoder", LAST[family]])
    ]
    hooks = [norm.register_forward_pre_hook(lambda module, given: read.append(given[0])) for norm in norms]
    given = {name: value for name, value in batch(subject.special_tokens()).items() if name != "labels"}
    with torch.no_grad(), hooked_layers(model, subject.shape.layers, found.__setitem__):
        model(**given, use_cache=False)
    assert len(hooks) == len(found) == 2
    for layer, norm in zip(subject.shape.layers, read, strict=True):
        assert torch.equal(found[layer], norm)


@pytest.mark.parametrize("length", [3, MAX_POSITIONS - 6], ids=["beside the text", "in the place of its end"])
def test_prompt_vectors_do_not_count_as_tokens(sweep: Path, length: int) -> None:
    base = load_base(sweep / "results/models/tiny/checkpoint").eval()
    pairs, special_tokens = read_arrays(arrays(sweep, "dev")), SPECIAL_TOKENS
    layers = ("model.encoder.layers.0", "model.decoder.layers.0")
    plain = layer_states(base, layers, pairs, special_tokens=special_tokens)
    options = {"method": "prompt"}
    prompted = METHODS["prompt"].apply(base, {"model.encoder": length}, options_of(options)).eval()
    stir(prompted, by=5.0)
    found = layer_states(prompted, layers, pairs, special_tokens=special_tokens)
    room = np.minimum(pairs.source.lengths, MAX_POSITIONS - length)
    assert plain[layers[0]].count == pairs.source.lengths.sum()
    assert found[layers[0]].count == room.sum()
    assert plain[layers[1]].count == found[layers[1]].count == pairs.target.lengths.sum()
    assert found[layers[0]].effective_rank != pytest.approx(plain[layers[0]].effective_rank, abs=1e-3)


def test_the_record_of_a_cell_has_a_rank_for_every_layer(sweep: Path, tmp_path: Path) -> None:
    finetune(train_params("adapter", updates=2), cell("adapter"), inputs=inputs(sweep), record=tmp_path / "train.json")
    record = measure(sweep, tmp_path)
    pairs: TokenPairs = read_arrays(arrays(sweep, "dev"))
    assert record.tokens == {"encoder": pairs.source.lengths.sum(), "decoder": pairs.target.lengths.sum()}
    assert [len(ranks) for ranks in record.effective_rank.values()] == [1, 1]
    assert all(1 < rank < 32 for ranks in record.effective_rank.values() for rank in ranks)
    assert record.trained_sha256 == sha256_of(tmp_path / "train.json")


def measure(sweep: Path, folder: Path) -> RepresentationRecord:
    params = {"step_version": 1, "languages": {"source": "es", "target": "en"}, "threads": 1}
    files = {"trained": folder / "train.json", "dev": arrays(sweep, "dev")}
    measure_representations(params, cell("adapter"), **files, record=folder / "representations.json")
    return RepresentationRecord(**read_record(folder / "representations.json"))


def test_a_cell_that_diverged_has_no_ranks(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_record(LORA.folder / "train.json", {"status": "diverged", "best_step": None})
    record = measure(sweep, LORA.folder)
    assert (record.status, record.effective_rank) == ("diverged", {})
    write_representations([LORA, NONE], output=Path("table.csv"), missing={NONE})
    rows = Path("table.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert rows == [f"{NONE.path.replace('/', ',')},missing,,,,,", f"{LORA.path.replace('/', ',')},diverged,,,,,"]


def configured(**changes: Any) -> Configuration:
    return validate(merge(DEFAULT, {"studies": {"representations": STUDY | changes}}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"methods": ["lora"]}, "lacks 'none', the untouched model, which the figure compares with; add it."),
        ({"methods": ["lora", "none", "retrieval"]}, "names 'retrieval', which has no model"),
    ],
)
def test_a_study_of_representations_has_only_cells_with_a_model(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=f"'studies.representations.methods' {says}"):
        configured(**changes)


def test_other_studies_measure_no_representations() -> None:
    assert represented_records(validate(DEFAULT)) == []
    assert len(represented_records(configured())) == 3 + 1


@pytest.mark.sweep
def test_representations_are_measured_once_for_each_cell_of_the_study(tmp_path: Path) -> None:
    study = STUDY | {"pairs": ["es-en"], "sizes": ["n200"], "budgets": ["b5"], "seeds": [1]}
    jobs = planned(tmp_path, "study_representations", overlay={"studies": {"representations": study}})
    assert (jobs["represent"], jobs["collect_representations"], jobs["draw_figure"]) == (2, 1, 1)


def test_representations_are_current_for_the_training_and_params_that_they_were_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = configured()
    write_record(LORA.folder / "train.json", {"status": "ok", "best_step": 10})
    assert not is_represented(configuration, LORA)
    content = {
        "params": params_of("represent", configuration, LORA),
        "trained_sha256": sha256_of(LORA.folder / "train.json"),
        "inputs": {"dev_sha256": "0" * 64},
    }
    write_record(LORA.folder / "representations.json", content)
    assert is_represented(configuration, LORA)
    threads = merge(DEFAULT, {"studies": {"representations": STUDY}, "models": {"small": {"threads": 2}}})
    assert not is_represented(validate(threads), LORA)
    dev = Path(str(inputs_of("represent", configuration, LORA)["dev"]))
    dev.parent.mkdir(parents=True)
    dev.write_bytes(b"other text")
    encoded = params_of("encode_pair", configuration, vocabulary_of(configuration, LORA.model), LORA.pair)
    write_record(dev.with_suffix(".json"), {"params": encoded})
    assert not is_represented(configuration, LORA)
    write_record(LORA.folder / "representations.json", content | {"inputs": {"dev_sha256": sha256_of(dev)}})
    assert is_represented(configuration, LORA)
    write_record(LORA.folder / "train.json", {"status": "ok", "best_step": 20})
    assert not is_represented(configuration, LORA)

"""Every family trained, saved, opened and merged: the same model at each station."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import nn

from mtpeft.core.files import write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import read_arrays
from mtpeft.decoding.search import translate
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.metrics.chrf import corpus_chrf as chrf
from mtpeft.models.families import family_in
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.tokenizer import detokenise, open_tokenizer, special_tokens_of
from mtpeft.training.attempt_log import attempting
from mtpeft.training.finetune import CellInputs, prepare_training, run_training, save_tuned, stage_models
from support.family import ALL_CHECKPOINTS, LANGUAGES, family_inputs, family_params

EVERYWHERE = ("full", "lora")
DIFFERENT = ("nllb", "marian", "student", "mt5", "llama", "gemma3")
"""Checkpoints on which adapters and prefixes are trained, as they differ most; methods have families of their own."""
SOMEWHERE = ("layernorm", "embeddings", "lora_embeddings")
TRAINED = [
    *product(ALL_CHECKPOINTS, EVERYWHERE, [{}]),
    *product(DIFFERENT, ("adapter", "prefix"), [{}]),
    *product(("nllb", "mt5", "llama"), SOMEWHERE, [{}]),
    *product(("nllb", "mt5", "llama"), ("lora", "adapter"), [{"quantised": 8}, {"quantised": 4}]),
]
"""Families, methods, and the keys for the precision of the base."""
FAMILY = pytest.mark.parametrize("name", ALL_CHECKPOINTS)


@dataclass(frozen=True)
class Station:
    """Observations of a model: its scores of the dev set's words, and its translations with their chrF."""

    logits: torch.Tensor
    hypotheses: list[str]
    score: float


@pytest.fixture(scope="module")
def prepared(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], CellInputs]:
    """Inputs of a cell of a family, made once."""
    made: dict[str, CellInputs] = {}

    def of(name: str) -> CellInputs:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            # A dev score that all trained weights beat, so that they are what is kept.
            write_record(folder / "start.json", {"dev_score": -1.0})
            made[name] = replace(family_inputs(name, sweep, folder), start=folder / "start.json")
        return made[name]

    return of


def _observe(model: nn.Module, given: CellInputs, checkpoint: Path) -> Station:
    model.eval()
    tokenizer = open_tokenizer(checkpoint, LANGUAGES, vocabulary="tiny")
    special_tokens = special_tokens_of(tokenizer, load_base(checkpoint).config)
    pairs = read_arrays(given.dev)
    sources, targets = ([side[row] for row in range(len(side))] for side in (pairs.source, pairs.target))
    batch = {
        name: tensor
        for name, tensor in model_inputs(sources, targets, special_tokens=special_tokens).items()
        if name != "labels"
    }
    with torch.no_grad():
        logits = model(**batch, use_cache=False).logits
    found = translate(
        model,
        sources,
        DecodingOptions(beam_size=1, length_penalty=1.0, max_length_ratio=1.0),
        special_tokens=special_tokens,
    )
    hypotheses = detokenise(tokenizer, found)
    lines = given.dev_text.read_text(encoding="utf-8").splitlines()[1:]
    return Station(logits, hypotheses, chrf(hypotheses, [line.split("\t")[2] for line in lines]))


@pytest.mark.parametrize(("name", "method", "precision"), TRAINED)
def test_opened_and_merged_models_compute_what_the_trained_one_does(
    prepared: Callable, tmp_path: Path, name: str, method: str, precision: dict[str, int]
) -> None:
    prepare_torch(1)
    given = prepared(name)
    job = prepare_training(family_params(method) | precision, given)
    with attempting(tmp_path / "state") as attempt:
        trained, run = run_training(job, state_folder=tmp_path / "state", preemption=attempt.preemption)
    assert run.status == "ok"
    untouched = _observe(load_base(job.folder, job.precision), given, job.folder)
    before = _observe(trained, given, job.folder)
    assert (before.logits - untouched.logits).abs().max() > 1e-3

    opened = open_tuned(job.folder, save_tuned(trained, tmp_path / "tuned", diverged=False), job.precision)
    after = _observe(opened, given, job.folder)
    assert torch.equal(after.logits, before.logits)
    assert (after.hypotheses, after.score) == (before.hypotheses, before.score)

    if hasattr(opened, "merge_and_unload") and method not in ("adapter", "prefix") and not precision:
        merged = _observe(opened.merge_and_unload(), given, job.folder)
        torch.testing.assert_close(merged.logits, before.logits, rtol=1e-4, atol=1e-4)
        assert (merged.hypotheses, merged.score) == (before.hypotheses, before.score)


@FAMILY
def test_no_layer_is_skipped_at_random_and_dropout_is_what_was_asked_for(prepared: Callable, name: str) -> None:
    job = prepare_training(family_params("full"), prepared(name))
    config = next(stage_models(job)).config
    assert getattr(config, family_in(job.folder).dropout) == 0.0
    assert (getattr(config, "encoder_layerdrop", 0.0), getattr(config, "decoder_layerdrop", 0.0)) == (0.0, 0.0)

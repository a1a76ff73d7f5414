"""Base models whose layers lie in main memory or on disk: the same results, and less resident memory."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mtpeft.config.load import merge, validate
from mtpeft.config.studies import all_cells
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.core.options import DecodingOptions
from mtpeft.core.provenance import Execution, Offload
from mtpeft.decoding.decode import decode
from mtpeft.decoding.search import translate
from mtpeft.front.prices.storage import storage_of
from mtpeft.models.load import load_base, parameters
from mtpeft.models.offload import in_main_memory, is_offloaded, place
from mtpeft.steps import base_models
from mtpeft.steps.train import placed
from mtpeft.training.finetune import finetune
from support.config import DEFAULT
from support.method import FAMILIES, Subject, batch, logits, sources, stir, write_base
from support.method_cases import CASES
from support.model import arrays, cell, decode_params, inputs, train_params
from support.training import ENVIRONMENT, ROOT

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
PLACES: tuple[Offload, ...] = ("cpu", "disk")


def _placed(base: Path, offload: Offload | None) -> nn.Module:
    return place(load_base(base, offload=offload), CPU).eval()


@pytest.mark.parametrize("offload", PLACES)
@pytest.mark.parametrize("family", FAMILIES)
def test_hypotheses_are_the_same(family: str, offload: Offload, tmp_path: Path) -> None:
    base = write_base(family, tmp_path / "base", layers=2)
    whole, away = _placed(base, None), _placed(base, offload)
    special_tokens = Subject.frame_of(whole.config)
    assert torch.equal(logits(whole, batch(special_tokens)), logits(away, batch(special_tokens)))
    for options in (DecodingOptions(), DecodingOptions(beam_size=3)):
        expected, found = (translate(own, sources(), options, special_tokens=special_tokens) for own in (whole, away))
        assert found == expected
    assert {name for name, own in away.named_parameters() if own.is_meta} == {
        name for name, _ in whole.named_parameters() if re.search(r"\.(layers|block)\.\d+\.", name)
    }
    assert parameters(away)[0] == parameters(whole)[0]
    assert not any(own.is_meta for own in away.get_input_embeddings().parameters())
    assert is_offloaded(away) and not is_offloaded(whole)


METHODS = ("lora", "adapter", "prefix", "prompt", "layernorm", "bitfit", "dsee", "embeddings", "decoder")


def _with_method(subject: Subject, offload: Offload | None) -> nn.Module:
    """A model with what a method trains in it, moved as training moves it."""
    base = load_base(subject.base, offload=offload)
    torch.manual_seed(1)
    with in_main_memory(base):
        model = subject.method.apply(base, subject.allocation.sizes, subject.options)
    stir(place(model, CPU).eval())
    return model


@pytest.mark.parametrize(("method", "family"), [*((method, "mbart") for method in METHODS), ("lora", "t5")])
def test_methods_compute_and_learn_the_same(method: str, family: str, tmp_path: Path) -> None:
    case = CASES[method]
    subject = Subject(write_base(family, tmp_path / "base", layers=2), case.options, case.share)
    found: dict[Offload | None, tuple[torch.Tensor, dict[str, torch.Tensor]]] = {}
    for offload in (None, *PLACES):
        model = _with_method(subject, offload)
        rows = batch(Subject.frame_of(model.config))
        outputs = logits(model, rows)
        model.train()
        model(**rows, use_cache=False).loss.backward()
        found[offload] = outputs, {name: own.grad for name, own in model.named_parameters() if own.grad is not None}
    expected, gradients = found[None]
    assert any(own.any() for own in gradients.values())
    for offload in PLACES:
        assert torch.equal(found[offload][0], expected)
        assert found[offload][1].keys() == gradients.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(found[offload][1][name], gradient)


@pytest.mark.parametrize("offload", PLACES)
def test_a_cell_is_trained_and_decoded_to_the_same_bytes(offload: Offload, sweep: Path, tmp_path: Path) -> None:
    params = train_params("lora", learning_rate=0.1)
    for name, own in (("plain", None), ("away", offload)):
        record = tmp_path / name / "train.json"
        finetune(params, cell("lora"), inputs=inputs(sweep), record=record, execution=Execution(offload=own))
        files: dict[str, Any] = {"tests": {"test": arrays(sweep, "test")}, "record": tmp_path / name / "decode.json"}
        decode(decode_params(), cell("lora"), trained=record, **files, offload=own)
    plain, away = tmp_path / "plain", tmp_path / "away"
    for file in ("tuned/adapter_model.safetensors", "hypotheses/test.txt"):
        assert (away / file).read_bytes() == (plain / file).read_bytes()
    assert read_record(away / "decode.json")["execution"]["offload"] == offload
    assert "offload" not in read_record(plain / "decode.json")["execution"]


def test_methods_that_train_the_base_are_refused(sweep: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trains the base model itself, whose layers 'offload' keeps away"):
        finetune(
            train_params("full"),
            cell("full"),
            inputs=inputs(sweep),
            record=tmp_path / "train.json",
            execution=Execution(offload="cpu"),
        )


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "trains the base": (
        {"models": {"small": {"offload": "disk"}}},
        r"names 'full', which needs the weights of the base model, but 'models\.small\.offload' keeps it frozen",
    ),
    "quantised": (
        {"models": {"small": {"offload": "cpu", "quantised": 8}}},
        r"'models\.small\.offload' is for weights of 16 or 32 bits; take it out, or 'models\.small\.quantised'",
    ),
    "merged": (
        {"models": {"own": {"path": "workflow/models/small", "offload": "cpu"}}, "decoding": {"merged": True}},
        r"'decoding\.merged' writes methods into the base model's weights, but 'models\.own\.offload'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_name_their_key(case: str) -> None:
    overlay, expected = MISTAKES[case]
    with pytest.raises(UserError, match=expected):
        validate(merge(DEFAULT, overlay))


def test_no_result_depends_on_it() -> None:
    models = ({"own": {"path": "workflow/models/small", **more}} for more in ({}, {"offload": "disk"}))
    plain, away = (validate(merge(DEFAULT, {"models": own})) for own in models)
    assert plain.models["own"].identity == away.models["own"].identity
    assert (base_models.offload(plain, "own"), base_models.offload(away, "own")) == ("none", "disk")


def test_the_plan_counts_one_layer_at_a_time() -> None:
    found = {}
    for offload in (None, "cpu"):
        own = {"path": "workflow/models/small", **({"offload": offload} if offload else {})}
        study = {
            **DEFAULT["studies"]["budgets"],
            "figure": "budgets",
            "also": [],
            "models": ["own"],
            "methods": ["lora"],
        }
        studies = {**dict.fromkeys(DEFAULT["studies"]), "mine": study}
        configuration = validate(merge(DEFAULT, {"models": {"own": own}, "studies": studies, "findings": None}))
        cell = next(cell for cell in all_cells(configuration) if cell.method == "lora")
        found[offload] = storage_of(configuration, [placed(configuration, cell)], at_once=1).memory
    assert found["cpu"] < found[None]


TRANSLATES = """
import re, sys, torch
sys.path[:0] = ["workflow", "tests"]
from pathlib import Path
from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.search import translate
from mtpeft.models.load import load_base
from mtpeft.models.offload import place
from support.method import Subject, sources
torch.set_num_threads(1)
model = place(load_base(Path(sys.argv[1]), offload=sys.argv[2] or None), torch.device("cpu")).eval()
tokens = translate(model, sources(), DecodingOptions(), special_tokens=Subject.frame_of(model.config))
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
print(tokens)
"""
"""Prints the peak of the resident set in bytes, and the hypotheses."""


def test_resident_memory_is_below_the_bytes_of_the_model(tmp_path: Path) -> None:
    """A process without the model, that is with a tiny one, is what both are compared with."""
    wide = {"d_model": 512, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096}
    tiny = write_base("m2m100", tmp_path / "tiny", layers=1)
    large = write_base("m2m100", tmp_path / "large", layers=6, **wide)
    size = (large / "model.safetensors").stat().st_size
    found = []
    for folder, offload in ((tiny, ""), (large, ""), (large, "disk")):
        command = [sys.executable, "-c", TRANSLATES, str(folder), offload]
        done = subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=True)
        peak, tokens = done.stdout.splitlines()[-2:]
        found.append((int(peak), tokens))
    (without, _), (whole, expected), (away, hypotheses) = found
    assert hypotheses == expected
    assert whole - without > size
    assert away - without < size / 2

"""A tiny model of COMET, made with COMET's own classes, in an environment of COMET as the workflow installs it."""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cells import Cell, OnPair
from mtpeft.cluster.environment import shared_variables
from mtpeft.core.files import canonical, write_lines, write_record
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.forkserver.launcher import ONE_THREAD
from mtpeft.isolated.install import pins_of
from mtpeft.isolated.run import ISOLATED, PACKAGES
from mtpeft.metrics.base import own_environment_of
from mtpeft.metrics.comet.metric import COMET
from mtpeft.metrics.environment import program_of, server_variable
from support.findings import SENTENCES
from support.mtdata import command

ENCODER = "somebody/encoder"
"""The encoder in the model's hyperparameters: a name of the hub."""
TEXT = [
    ("Abre la puerta", "Open the door", "Open the door"),
    ("Cierra", "Close the whole house and all of its windows", "Close it"),
    ("Guarda los cambios", "", "Save the changes"),
]
"""Source, hypothesis and reference."""
SAMPLES = [dict(zip(("src", "mt", "ref"), TEXT[number % len(TEXT)], strict=True)) for number in range(SENTENCES)]
CELL = Cell("small", "es-en", "n200", "lora", "b5", "1")
PARAMS = {"step_version": 1, "metric": "comet", "unbabel-comet": "2.2.7", "batch_size": 16, "threads": 1}

BUILD = """
import json, os, sys
from pathlib import Path
variables = dict(os.environ)
packages, program, own_part, name, record, encoder, samples = sys.argv[1:]
sys.path.insert(0, packages)
import pytorch_lightning, torch, yaml
from comet.models import RegressionMetric
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaTokenizerFast

letters = ["\\u2581", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,!?"]
vocabulary = [(mark, 0.0) for mark in ("<s>", "<pad>", "</s>", "<unk>")] + [(letter, -3.0) for letter in letters]
tokenizer = Tokenizer(models.Unigram([*vocabulary, ("<mask>", 0.0)], unk_id=3))
tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
XLMRobertaTokenizerFast(tokenizer_object=tokenizer).save_pretrained(encoder)
torch.manual_seed(3)
sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
config = XLMRobertaConfig(vocab_size=len(vocabulary) + 1, max_position_embeddings=258, **sizes)
XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(encoder)
model = RegressionMetric(pretrained_model=encoder, hidden_sizes=[8], layer_transformation="sparsemax_patch")
trainer = pytorch_lightning.Trainer(logger=False, accelerator="cpu")
trainer.strategy.connect(model)
trainer.save_checkpoint("model/checkpoints/model.ckpt")
Path("model/hparams.yaml").write_text(yaml.dump(dict(model.hparams)))
scores = model.predict(json.loads(samples), batch_size=16, gpus=0, progress_bar=False, num_workers=0).scores
Path("scores.json").write_text(json.dumps(scores))

import importlib.util
spec = importlib.util.spec_from_file_location("program", program)
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)
sys.path.append(str(runner.WORKFLOW))
os.environ.clear()
os.environ.update(variables)  # libraries have added some
runner.keep(runner.metric_of(own_part), name, record)
"""
"""Makes the model, has COMET score with it, and then is the process that keeps it: to import COMET takes seconds."""


@dataclass(frozen=True)
class Comet:
    """A tiny COMET model and its environment.

    Attributes:
        folder: with `model/checkpoints/model.ckpt` and what it was built on.
        environment: the record of COMET's environment.
        scores: what COMET gave the samples when the model was made.
        variables: by which steps find the process that keeps the model.
    """

    folder: Path
    environment: Path
    scores: list[float]
    variables: dict[str, str]

    @property
    def checkpoint(self) -> Path:
        return self.folder / "model/checkpoints/model.ckpt"

    @property
    def encoder(self) -> Path:
        return self.folder / ENCODER

    def configured(self, **changes: Any) -> dict[str, Any]:
        """An overlay that asks for the model."""
        return {"comet": {"path": str(self.checkpoint), "encoder": {"path": str(self.encoder)}, **changes}}

    def take_in(self, model: Path, **encoder: str) -> int:
        """Run the step that takes in a model, as its rule does; returns its exit code."""
        parts = {"model": {"path": str(model)}, "encoder": encoder or {"path": str(self.encoder)}}
        params = {"step_version": 1, "metric": "comet", **parts}
        files = ["--environment", str(self.environment), "--record", "data/metrics/comet-1/model.json"]
        return command("take_in_metric", "--params", canonical(params), *files)

    def score(self, cell: Cell = CELL, environment: Path | None = None, **changes: Any) -> int:
        """Run the step that scores a cell, as its rule does; returns its exit code."""
        files = {
            "decoded": f"{cell.folder}/decode.json",
            "references": f"data/pairs/{cell.pair}/test.tsv",
            "model": "data/metrics/comet-1/model.json",
            "environment": str(environment or self.environment),
            "record": f"{cell.folder}/comet.json",
        }
        options = [word for name, file in files.items() for word in (f"--{name}", file)]
        return command("score_with_metric", "--cell", cell.path, "--params", canonical(PARAMS | changes), *options)


@contextmanager
def kept(folder: Path) -> Iterator[Comet]:
    """Install COMET as its rule does, make the model, and keep it loaded as a sweep does."""
    environment = folder / "environment/installed.json"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mtpeft.cli.die_with_parent", lambda: None)
        patched.chdir(folder)
        params = canonical({"step_version": 1, "metric": "comet", "requirements": pins_of("comet")})
        assert command("install_metric", "--params", params, "--record", str(environment)) == 0
    (folder / "model/checkpoints").mkdir(parents=True)
    name = f"mtpeft-test-{os.getpid()}"
    model = folder / "kept.json"
    write_record(model, {"checkpoint": str(folder / "model/checkpoints/model.ckpt"), "encoders": str(folder)})
    programs = [str(program_of(COMET, environment.parent).file), str(own_environment_of(COMET).program)]
    arguments = [str(environment.parent / PACKAGES), *programs, name, str(model), ENCODER, json.dumps(SAMPLES)]
    process = subprocess.Popen(
        [sys.executable, *ISOLATED, "-W", "ignore", "-c", BUILD, *arguments],
        cwd=folder,
        env={**os.environ, **shared_variables(), **ONE_THREAD, **own_environment_of(COMET).variables},
        stderr=(folder / "log").open("w"),
    )
    try:
        while not (folder / "scores.json").exists():
            assert process.poll() is None
            time.sleep(0.1)
        yield Comet(
            folder, environment, json.loads((folder / "scores.json").read_text()), {server_variable(COMET): name}
        )
    finally:
        process.kill()
        process.wait()


def rows_of(file: str) -> list[dict[str, str]]:
    """Rows of a table."""
    with open(file, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_hypotheses(cell: Cell | OnPair, status: str = "ok", *, text: Path | None = None) -> None:
    """Write the files that decoding a cell makes, on its own pair or on another, and the text of the test set."""
    write_lines(cell.folder / "hypotheses/test.txt", (sample["mt"] for sample in SAMPLES) if status == "ok" else ())
    if not (cell.folder / "decode.json").exists():
        write_record(cell.folder / "decode.json", {"status": status})
    pairs = [SentencePair(str(number), sample["src"], sample["ref"]) for number, sample in enumerate(SAMPLES)]
    write_pairs(text or Path(f"data/pairs/{cell.pair}/test.tsv"), pairs)

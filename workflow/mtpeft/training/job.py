"""Everything that training a cell takes: its files, the model with what the method trains of it, batches, dev score."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import nn

from mtpeft.cluster.preemption import Clock
from mtpeft.core.checksums import require_whole
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, read_lines, read_record, sha256_of
from mtpeft.core.provenance import PLAIN, Execution
from mtpeft.data.token_arrays import model_inputs, read_arrays
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method, UpdateHook
from mtpeft.methods.new_entries import new_entry_place
from mtpeft.methods.new_entries_adapter import split_new_entries, train_new_entries
from mtpeft.methods.outside import bring_in_for
from mtpeft.methods.sequence_prefix_adapter import target_prefix_length
from mtpeft.methods.staged import stage_count
from mtpeft.methods.task_ids import takers_of
from mtpeft.models.families import family_in, read_shape
from mtpeft.models.load import device_here, load_base, prepare_torch, random_model
from mtpeft.models.precision import Frozen, frozen_in, require_quantisation
from mtpeft.models.special_tokens import Frame
from mtpeft.models.tokenizer import Side, frame_of, open_codec
from mtpeft.training.batches import BatchOrder, Mixture
from mtpeft.training.contrastive import objective
from mtpeft.training.distributed import shard
from mtpeft.training.evaluate import dev_chrf, mean_over_members
from mtpeft.training.loop import Plan, Run, Task, train
from mtpeft.training.optimizer import decays
from mtpeft.training.peft_model import Counted, count_trained, require_counted
from mtpeft.training.stages import joined

Batch = Callable[[int], Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class Inputs:
    """Files that a cell is trained from; the test set is not among them.

    `start` is the record of the base model's dev score, for methods that start from the base model as it is. Of a group
    of pairs they are the files of the first, and `others` has those of the other ones, in the order of the group.
    """

    base: Path
    train: Path
    dev: Path
    dev_text: Path
    subset: Path
    start: Path | None = None
    others: tuple["Inputs", ...] = ()

    @property
    def members(self) -> "tuple[Inputs, ...]":
        """Files of each pair."""
        return (self, *self.others)


@dataclass(frozen=True)
class Job:
    """A cell's training before a weight is loaded: settings, files with their hashes, and what will be trained."""

    settings: Mapping[str, Any]
    folder: Path
    inputs: Inputs
    hashes: Mapping[str, str]
    counted: Counted
    frozen: Frozen
    device: torch.device
    execution: Execution


def open_job(settings: Mapping[str, Any], inputs: Inputs, execution: Execution = PLAIN) -> Job:
    """Read what is needed to know what will be trained.

    Raises:
        DamagedError: the base model's files are not those that were taken in.
        UserError: the budget is out of the method's reach, or the base can't be quantised here.
    """
    bring_in_for(settings["method"])
    base = require_whole(inputs.base)
    frozen = frozen_in(settings, base["model"])
    require_quantisation(frozen, device_here())
    config = json.loads((Path(base["folder"]) / "config.json").read_text(encoding="utf-8"))
    counted = count_trained(settings, read_shape(config))
    return Job(
        settings=settings,
        folder=Path(base["folder"]),
        inputs=inputs,
        hashes=_hashes(base, inputs, settings.get("members")),
        counted=counted,
        frozen=frozen,
        device=prepare_torch(settings["threads"]),
        execution=execution,
    )


def train_job(job: Job, *, state_folder: Path, clock: Clock) -> tuple[nn.Module, Run]:
    """Train to the end, or on from a saved state; returns the model with the weights of the best dev score.

    A method with stages trains the first, then the first and the second, and so on, for as many updates each.

    Raises:
        StoppedError: stopped early, with the state saved.
    """
    runs: list[Run] = []
    stages = stage_count(job.settings["method"])
    for number, model in enumerate(_models(job)):
        folder = state_folder if stages == 1 else state_folder / f"stage{number}"
        folder.mkdir(parents=True, exist_ok=True)
        task = _task(job, model, start=None if number else _start_of(job), first=sum(run.step for run in runs))
        runs.append(train(task, _plan(job.settings, stage=number), state_folder=folder, clock=clock))
        if runs[-1].status != "ok":
            break
    return model, joined(runs)


def _start_of(job: Job) -> float | None:
    """Dev score of the base, the mean over its pairs, where it is known."""
    records = [own.start for own in job.inputs.members if own.start]
    return fmean(read_record(record)["dev_score"] for record in records) if records else None


def _task(job: Job, model: nn.Module, *, start: float | None, first: int) -> Task:
    """What a stage trains on what; `first` is the number of the updates that were made before it."""
    codecs = [open_codec(job.folder, languages, vocabulary=job.folder.name) for languages in _languages(job.settings)]
    frames = [frame_of(codec, model.config) for codec in codecs]
    judges = [
        dev_chrf(model, job.settings["search"], arrays=own.dev, text=own.dev_text, codec=codec, frame=frame)
        for own, codec, frame in zip(job.inputs.members, codecs, frames, strict=True)
    ]
    batch = _batches(job.settings, job.inputs, frames=frames)
    _require_room(model, job.inputs, frames)
    return Task(
        model=model,
        batch=lambda update: batch(first + update),
        evaluate=mean_over_members(model, judges),
        start=start,
        identity=canonical({"settings": job.settings, "inputs": job.hashes}),
        rate_factor=_rate_factor(job.settings["method"]),
        decays=_decays(job.settings["method"]),
        objective=objective(job.settings["method"].get("losses", ())),
        takers=takers_of(model),
        hook=_hook(model, job.settings["method"]),
        execution=job.execution,
    )


def _languages(settings: Mapping[str, Any]) -> list[Mapping[Side, str]]:
    """Languages of each pair that is trained on."""
    return list(settings["members"].values()) if "members" in settings else [settings["languages"]]


def _hashes(base: Mapping[str, Any], inputs: Inputs, members: Collection[str] | None) -> dict[str, str]:
    """Hashes of all that is trained on, with the labels of the members of a group."""
    named = zip([f"_{label}" for label in members] if members else [""], inputs.members, strict=True)
    return {f"base_{name}_sha256": digest for name, digest in base["sha256"].items()} | {
        f"{name}{label}_sha256": sha256_of(file)
        for label, own in named
        for name, file in vars(own).items()
        if file and name not in ("base", "others")
    }


def _models(job: Job) -> Iterator[nn.Module]:
    """The model to train, as it is in each stage of its method; the last holds exactly what was counted."""
    settings, folder = job.settings, job.folder
    method = METHODS[settings["method"]["method"]]
    family = family_in(folder)
    keys = {**family.fixed, family.dropout: settings["optimisation"]["dropout"]}
    if method.from_scratch:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        base = random_model(config, seed=settings["seed"], **keys)
    else:
        base = load_base(folder, job.frozen, **keys)
    stages = stage_count(settings["method"])
    grown = _with_method(method, base, job.counted, settings["method"])
    for number in range(stages):
        torch.manual_seed(settings["seed"])
        model = next(grown)
        if number == stages - 1:
            require_counted(job.counted, settings["method"], model)
        model = model.to(job.device)
        if job.execution.sharded and method.trains_base and stages == 1:
            shard(model)
        yield model


def _with_method(method: Method, base: nn.Module, counted: Counted, options: Mapping[str, Any]) -> Iterator[nn.Module]:
    """The base model with what the method trains of it, and with the rows of new entries that are trained beside."""
    sizes, new = dict(counted.allocation.sizes), new_entry_place(counted.shape)
    has_new = sizes.pop(new, None) is not None
    if has_new:
        split_new_entries(base)
    for tuned in method.grow(base, sizes, options) if method.grow else (method.apply(base, sizes, options),):
        if has_new:
            train_new_entries(tuned)
        yield tuned


def _rate_factor(options: Mapping[str, Any]) -> Callable[[str], float]:
    """What the learning rate of a parameter is multiplied by, as its method has it."""
    factor = METHODS[options["method"]].rate_factor
    return (lambda name: factor(name, options)) if factor else (lambda name: 1.0)


def _decays(options: Mapping[str, Any]) -> Callable[[str, nn.Parameter], bool]:
    """Whether weight decay pulls a parameter towards zero; stages have the exceptions of all of them."""
    exceptions = {**METHODS[options["method"]].decays}
    for stage in options.get("stages", ()):
        exceptions |= METHODS[stage["method"]].decays
    return lambda name, weight: decays(name, weight.ndim, exceptions)


def _hook(model: nn.Module, options: Mapping[str, Any]) -> UpdateHook:
    """What its method does around each update."""
    hook = METHODS[options["method"]].hook
    return hook(model, options) if hook else UpdateHook()


def _batches(settings: Mapping[str, Any], inputs: Inputs, *, frames: Sequence[Frame]) -> Batch:
    """Batches of the rows of all pairs, of a group mixed, with the place of each row's pair in it as `domains`."""
    optimisation, seed = settings["optimisation"], settings["seed"]
    pairs = [read_arrays(own.train) for own in inputs.members]
    rows = [[int(line) for line in read_lines(own.subset)] for own in inputs.members]
    places = [(member, row) for member, own in enumerate(rows) for row in own]
    lengths = np.concatenate([own.longer[chosen] for own, chosen in zip(pairs, rows, strict=True)])
    mixture = Mixture(list(map(len, rows)), optimisation["temperature"], seed) if inputs.others else None
    order = BatchOrder(lengths, optimisation["batch_tokens"], seed, mixture)

    def batch(update: int) -> Mapping[str, torch.Tensor]:
        chosen = [places[index] for index in order.rows(update)]
        sides = ([getattr(pairs[member], side)[row] for member, row in chosen] for side in ("source", "target"))
        given = model_inputs(*sides, frame=frames[0])
        return given | _by_member([member for member, _ in chosen], given, frames) if inputs.others else given

    return batch


def _require_room(model: nn.Module, inputs: Inputs, frames: Sequence[Frame]) -> None:
    """Refuse targets that have no room behind a prefix of the target.

    Raises:
        UserError: the longest target and the prefix have more positions than the model.
    """
    length = target_prefix_length(model)
    if not length:
        return
    for own, frame in zip(inputs.members, frames, strict=True):
        pairs = read_arrays(own.train)
        longest = max((len(pairs.target[int(row)]) for row in read_lines(own.subset)), default=0)
        longest += len(frame.begin) - 1
        if longest + length > frame.longest:
            raise UserError(
                f"A prefix of {length} positions and a target of {longest} tokens don't fit into the {frame.longest} "
                "positions of this model; write a smaller budget, or a smaller 'clean.max_words' of the corpus."
            )


def _by_member(
    members: Sequence[int], given: Mapping[str, torch.Tensor], frames: Sequence[Frame]
) -> dict[str, torch.Tensor]:
    """What of a batch depends on the pair of each row: its place, and the first token that the decoder reads."""
    domains = torch.tensor(members)
    read = given["decoder_input_ids"].clone()
    read[:, 0] = torch.tensor([frame.begin[0] for frame in frames])[domains]
    return {"decoder_input_ids": read, "domains": domains}


def _plan(settings: Mapping[str, Any], *, stage: int) -> Plan:
    optimisation, method = settings["optimisation"], settings["method"]
    longer = method.get("longer", 1)
    factor = method["rate_factors"][stage] if "stages" in method else 1.0
    return Plan(
        updates=longer * optimisation["updates"] // stage_count(method),
        learning_rate=optimisation["learning_rate"] * factor,
        warmup=optimisation["warmup"],
        label_smoothing=optimisation["label_smoothing"],
        weight_decay=optimisation["weight_decay"],
        clip_norm=optimisation["clip_norm"],
        evaluations=max(1, longer * optimisation["evaluations"] // stage_count(method)),
        seed=settings["seed"],
        patience=settings["method"].get("patience"),
    )

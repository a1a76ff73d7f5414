"""Split the feed-forward blocks of a cell's model into experts, and make their routers, from training sentences."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel
from safetensors.torch import load_file, save_file
from torch import nn

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.files import read_lines, sha256_of, write_record
from mtpeft.core.options import InferenceOptions
from mtpeft.core.provenance import describe, versions
from mtpeft.core.records import ExpertsRecord
from mtpeft.data.token_arrays import TokenPairs, read_arrays
from mtpeft.decoding.experts.expert_layers import Experts, innermost
from mtpeft.decoding.experts.partition import balanced_clusters, co_activation_rows
from mtpeft.decoding.experts.routers import SimilarityRouter, open_router, train_mlp
from mtpeft.decoding.forced_reading import ForcedReading
from mtpeft.decoding.representations import outermost_modules
from mtpeft.methods import bring_in_for
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.task_ids import set_task_ids
from mtpeft.models.families import read_shape
from mtpeft.models.feed_forward import FeedForward, Router, expert_blocks
from mtpeft.models.load import prepare_torch
from mtpeft.models.precision import precision_of
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import open_tokenizer, prompt_keys, special_tokens_of

SEED = 1
UNITS = "units"
ROUTER = "router."
Take = Callable[[FeedForward, torch.Tensor, torch.Tensor], None]
"""Gets a block, its inputs and its positive activations: shapes (tokens, width) and (tokens, units)."""


class SplitOptions(BaseModel):
    """How blocks are split, as the params of the step have it."""

    experts: int
    split: Literal["clusters", "co-activation"]
    router: Router
    sentences: int


@dataclass(frozen=True)
class TrainingSentences:
    """Sentence pairs that a model reads, with the references as decoder inputs."""

    pairs: TokenPairs
    rows: np.ndarray
    special_tokens: SpecialTokens


def split_experts(
    params: Mapping[str, Any],
    cell: Cell,
    *,
    trained: Path,
    train: Path,
    subset: Path | None,
    output: Path,
    record: Path,
) -> None:
    """Write the experts of every block and their routers, or that the cell has diverged.

    Args:
        params: `moe` with the keys of `SplitOptions`, `inference`, `languages`, `threads`, and the precision of the
            base model.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        train: token arrays of the training text.
        subset: the rows that the cell was trained on; None for the first rows.
        output: safetensors file for the experts.
        record: `experts.json`.

    Raises:
        UserError: the model's activation is not ReLU, or its blocks can't be split evenly.
        DamagedError: the weights are not those that were trained, or the base model's not those that were taken in.
    """
    done = require_whole(trained)
    options = SplitOptions.model_validate(params["moe"])
    tensors: dict[str, torch.Tensor] = {}
    active: dict[str, float] = {}
    rows, execution, precision = np.empty(0, dtype=int), {}, precision_of(params, cell.model)
    if done["status"] == "ok":
        bring_in_for(done["params"]["method"])
        device = prepare_torch(params["threads"])
        described = require_base(done)
        base = Path(described["folder"])
        blocks = blocks_of(base, options.experts)
        tokenizer = open_tokenizer(base, params["languages"], vocabulary=cell.model, **prompt_keys(described["params"]))
        model = open_cell(params, cell, trained=trained, base=base).to(device)
        pairs = read_arrays(train)
        chosen = range(len(pairs.source)) if subset is None else map(int, read_lines(subset))
        rows = np.array(list(chosen)[: options.sentences])
        sentences = TrainingSentences(pairs, rows, special_tokens_of(tokenizer, model.config))
        tensors, active = make_experts(model, blocks, sentences, options)
        execution = describe(str(device), params["threads"])
    output.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, output)
    content = ExpertsRecord(
        cell=cell.named,
        status=done["status"],
        params=dict(params),
        trained_sha256=sha256_of(trained),
        inputs={f"{file.stem}_sha256": sha256_of(file) for file in (train, subset) if file},
        versions=versions(more=precision.packages),
        execution=execution,
        sentences=len(rows),
        active_units=active,
        made={output.name: sha256_of(output)},
    )
    write_record(record, content.model_dump())


def open_cell(params: Mapping[str, Any], cell: Cell, *, trained: Path, base: Path) -> nn.Module:
    """Open the tuned model of a cell in evaluation mode, merged into its base where the step `decode` merges it."""
    model = open_tuned(base, trained.parent / "tuned", precision_of(params, cell.model)).eval()
    if InferenceOptions.of(params).without_adapters and hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload().eval()
    set_task_ids(model, 0)
    return model


def blocks_of(base: Path, experts: int) -> tuple[FeedForward, ...]:
    """Return the feed-forward blocks of the model in a folder.

    Raises:
        UserError: they can't be split into so many experts.
    """
    return expert_blocks(read_shape(json.loads((base / "config.json").read_text(encoding="utf-8"))), experts)


def read_experts(file: Path) -> Experts:
    """Read the experts of a model."""
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in load_file(file).items():
        block, _, own = name.partition("/")
        parts.setdefault(block, {})[own] = tensor
    return Experts(
        units={block: own[UNITS].long() for block, own in parts.items()},
        routers={
            block: open_router({name.removeprefix(ROUTER): own[name] for name in own if name != UNITS})
            for block, own in parts.items()
        },
    )


def make_experts(
    model: nn.Module, blocks: Sequence[FeedForward], sentences: TrainingSentences, options: SplitOptions
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Return the units and the routers of all blocks as tensors, and the share of units that are active in each.

    Names of tensors are those of a block's first layer and of a part, with a slash between them.
    """
    counts = {block: _Activations(block.hidden) for block in blocks}
    read_blocks(model, blocks, sentences, lambda block, given, hidden: counts[block].add(hidden))
    weights = {block: innermost_weight(model, block) for block in blocks}
    units = {block: _split(weights[block], counts[block], options) for block in blocks}
    routers = _routers(model, units, weights, sentences, options)
    tensors: dict[str, torch.Tensor] = {}
    for block in blocks:
        tensors[f"{block.opening}/{UNITS}"] = units[block].int()
        for name, tensor in routers[block].items():
            tensors[f"{block.opening}/{ROUTER}{name}"] = tensor.contiguous().cpu()
    return tensors, {block.opening: counts[block].share for block in blocks}


def innermost_weight(model: nn.Module, block: FeedForward) -> torch.Tensor:
    """Return the base model's weight of a block's first layer, shape (units, width)."""
    return innermost(outermost_modules(model, [block.opening])[block.opening]).weight.detach().cpu()


class _Activations:
    """Counts of tokens for which a unit is active, and for which two units are."""

    def __init__(self, units: int) -> None:
        self.together = torch.zeros(units, units)
        self.tokens = 0

    def add(self, hidden: torch.Tensor) -> None:
        """Count the tokens of a batch: shape (tokens, units)."""
        is_active = (hidden > 0).float()
        self.together += (is_active.T @ is_active).cpu()
        self.tokens += len(hidden)

    @property
    def share(self) -> float:
        """Share of the units that are active, mean over tokens."""
        return float(self.together.diagonal().sum() / max(1, self.tokens * len(self.together)))


def _split(weight: torch.Tensor, counts: _Activations, options: SplitOptions) -> torch.Tensor:
    """Return the units of each expert: shape (experts, size)."""
    rows = (
        weight.float().numpy()
        if options.split == "clusters"
        else co_activation_rows(counts.together.numpy(), options.experts)
    )
    return torch.from_numpy(balanced_clusters(rows, options.experts, seed=SEED))


def _routers(
    model: nn.Module,
    units: Mapping[FeedForward, torch.Tensor],
    weights: Mapping[FeedForward, torch.Tensor],
    sentences: TrainingSentences,
    options: SplitOptions,
) -> dict[FeedForward, dict[str, torch.Tensor]]:
    """Return the weights of each block's router; the oracle has none."""
    if options.router == "oracle":
        return {block: {} for block in units}
    if options.router == "similarity":
        return {block: SimilarityRouter.of(weights[block], own).state_dict() for block, own in units.items()}
    read: dict[FeedForward, list[torch.Tensor]] = {block: [] for block in units}
    sums: dict[FeedForward, list[torch.Tensor]] = {block: [] for block in units}

    def take(block: FeedForward, given: torch.Tensor, hidden: torch.Tensor) -> None:
        read[block].append(given.float().cpu())
        sums[block].append(hidden.float().cpu()[:, units[block]].sum(-1))

    read_blocks(model, list(units), sentences, take)
    return {block: train_mlp(torch.cat(read[block]), torch.cat(sums[block]), seed=SEED).state_dict() for block in units}


def read_blocks(model: nn.Module, blocks: Sequence[FeedForward], sentences: TrainingSentences, take: Take) -> None:
    """Give to `take` what each block reads and what its units hand on, for all tokens of sentences, without padding."""
    reading = ForcedReading(model, sentences.special_tokens)
    modules = outermost_modules(model, [name for block in blocks for name in (block.opening, block.closing)])
    given: dict[FeedForward, torch.Tensor] = {}

    def opening(block: FeedForward) -> Callable[[nn.Module, Any], None]:
        return lambda module, args: given.__setitem__(block, reading.tokens(block.opening, args[0]))

    def closing(block: FeedForward) -> Callable[[nn.Module, Any], None]:
        return lambda module, args: take(block, given.pop(block), reading.tokens(block.closing, args[0]).clamp_min(0))

    handles = [modules[block.opening].register_forward_pre_hook(opening(block)) for block in blocks]
    handles += [modules[block.closing].register_forward_pre_hook(closing(block)) for block in blocks]
    try:
        reading.read(sentences.pairs, sentences.rows)
    finally:
        for handle in handles:
            handle.remove()

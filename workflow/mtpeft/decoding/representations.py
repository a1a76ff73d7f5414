"""Measure the effective rank of the hidden states of a cell's layers on the dev set of its pair.

After the question of Kim et al. 2024, Preserving Pre-trained Representation Space: On Effectiveness of Prefix-tuning
for Large Multi-modal Models (arXiv 2411.00029): whether tuning has a model's representations use fewer directions than
before. Here the rows are the hidden states of all tokens of the dev set, the target side read as it is written
(teacher forcing). The test set is not read.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.provenance import describe, versions
from mtpeft.core.records import RepresentationRecord
from mtpeft.data.token_arrays import IGNORED, TokenPairs, cut, model_inputs, read_arrays
from mtpeft.methods.encoder_input_adapter import prompt_length
from mtpeft.methods.outside import bring_in_for
from mtpeft.methods.sequence_prefix_adapter import target_prefix_length
from mtpeft.methods.tuned import open_tuned
from mtpeft.models.architecture import side_of
from mtpeft.models.families import read_shape
from mtpeft.models.load import prepare_torch
from mtpeft.models.precision import frozen_in
from mtpeft.models.special_tokens import Frame
from mtpeft.models.tokenizer import frame_of, open_codec

BATCH_TOKENS = 8192
"""Padded tokens of a batch; they change the time, not the result but for rounding."""
SIDES = ("encoder", "decoder")
WRAPPED = "base_layer"
"""Name under which wrappers hold what they wrap."""
Take = Callable[[str, torch.Tensor], None]
"""Gets the name of a layer and its hidden states, (batch, length, d_model)."""


@dataclass
class RowsSeen:
    """What is kept of the rows of a matrix of any length: their number, and their products with each other's columns.

    The rows are not centred: their mean is a direction as well.

    Attributes:
        count: number of rows.
        products: transposed matrix times matrix, (width, width) in double precision, whose eigenvalues are the squares
            of the singular values.
    """

    count: int = 0
    products: torch.Tensor | None = field(default=None, repr=False)

    def add(self, rows: torch.Tensor) -> None:
        """Add rows of shape (rows, width)."""
        exact = rows.double()
        products = exact.T @ exact
        self.products = products if self.products is None else self.products + products
        self.count += len(rows)

    @property
    def effective_rank(self) -> float:
        """Between 1 and the width; 0 where every row is nought or there is none."""
        if self.products is None:
            return 0.0
        singular = torch.linalg.eigvalsh(self.products.cpu()).clamp_min(0).sqrt()
        total = singular.sum()
        if not total:
            return 0.0
        shares = singular / total
        return math.exp(float(torch.special.entr(shares).sum()))


def represent(settings: Mapping[str, Any], cell: Cell, *, trained: Path, dev: Path, record: Path) -> None:
    """Write the effective rank of every layer; of a cell that has diverged, that it has.

    Args:
        settings: `languages`, `threads`, and in what the base is held.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        dev: token arrays of the dev set.
        record: where the record goes.

    Raises:
        DamagedError: the weights are not those that were trained, or those of the base not those that were taken in.
    """
    train = require_whole(trained)
    seen: dict[str, RowsSeen] = {}
    execution: dict[str, Any] = {}
    frozen = frozen_in(settings, cell.model)
    if train["status"] == "ok":
        bring_in_for(train["settings"]["method"])
        device = prepare_torch(settings["threads"])
        base = Path(require_base(train)["folder"])
        layers = read_shape(json.loads((base / "config.json").read_text(encoding="utf-8"))).layers
        codec = open_codec(base, settings["languages"], vocabulary=cell.model)
        model = open_tuned(base, trained.parent / "tuned", frozen).to(device).eval()
        seen = layer_states(model, layers, read_arrays(dev), frame=frame_of(codec, model.config))
        execution = describe(str(device), settings["threads"])
    sides = {side: [rows for layer, rows in seen.items() if side_of(layer) == side] for side in SIDES}
    content = RepresentationRecord(
        cell=cell.named,
        status=train["status"],
        settings=dict(settings),
        trained_sha256=sha256_of(trained),
        inputs={"dev_sha256": sha256_of(dev)},
        versions=versions(more=frozen.packages),
        execution=execution,
        tokens={side: rows[0].count for side, rows in sides.items() if rows},
        effective_rank={side: [own.effective_rank for own in rows] for side, rows in sides.items() if rows},
    )
    write_record(record, content.model_dump())


@torch.inference_mode()
def layer_states(model: nn.Module, layers: Sequence[str], pairs: TokenPairs, *, frame: Frame) -> dict[str, RowsSeen]:
    """What the layers hand on for all tokens of a text, padding left out, in the order of the layers.

    Vectors that a method puts before the text are no tokens of it, and tokens that they leave no room for are not seen.
    """
    seen = {layer: RowsSeen() for layer in layers}
    kept: dict[str, torch.Tensor] = {}
    before = {"encoder": prompt_length(model), "decoder": target_prefix_length(model)}

    def take(layer: str, hidden: torch.Tensor) -> None:
        tokens = hidden[:, before[side_of(layer)] :]
        seen[layer].add(tokens[kept[side_of(layer)][:, : tokens.shape[1]]])

    with watching(model, layers, take):
        for rows in cut(np.arange(len(pairs.source)), pairs.longer, BATCH_TOKENS):
            inputs = model_inputs([pairs.source[row] for row in rows], [pairs.target[row] for row in rows], frame=frame)
            batch = {name: tensor.to(model.device) for name, tensor in inputs.items()}
            kept["decoder"] = batch.pop("labels") != IGNORED
            kept["encoder"] = batch["attention_mask"].bool()
            model(**batch, use_cache=False)
    return seen


def in_place_of(model: nn.Module, layers: Sequence[str]) -> Mapping[str, nn.Module]:
    """The outermost module that stands in the place of each layer, whatever it is wrapped in.

    Raises:
        LookupError: the model has no such layer.
    """
    found: dict[str, nn.Module] = {}
    # Modules come from the outside in, so the first of a name is the outermost.
    for name, module in model.named_modules():
        plain = "." + ".".join(part for part in name.split(".") if part != WRAPPED)
        for layer in layers:
            if layer not in found and plain.endswith(f".{layer}"):
                found[layer] = module
    if lacking := [layer for layer in layers if layer not in found]:
        raise LookupError(f"the model has no module {lacking[0]}")
    return found


@contextmanager
def watching(model: nn.Module, layers: Sequence[str], take: Take) -> Iterator[None]:
    """Hand the hidden states that come out of each layer to `take` while this is open."""

    def hook(layer: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: take(layer, output[0] if isinstance(output, tuple) else output)

    handles = [module.register_forward_hook(hook(layer)) for layer, module in in_place_of(model, layers).items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

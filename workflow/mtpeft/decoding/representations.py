"""Measure the effective rank of the hidden states of a cell's layers on the dev set of its language pair.

Kim et al. 2024, Preserving Pre-trained Representation Space: On Effectiveness of Prefix-tuning for Large Multi-modal
Models (arXiv 2411.00029), ask whether the representations of a tuned model use fewer directions than before. Here the
rows of the matrix are the hidden states of all tokens of the dev set, with the references as decoder inputs (teacher
forcing). The test set is not read.

The effective rank of a matrix is exp(H(p)), with p the singular values divided by their sum and H the entropy in nats
(Roy & Vetterli 2007, The effective rank: a measure of effective dimensionality). It is 1 where all rows lie on one
line, and the width of the matrix where the rows use all directions alike.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import peft  # noqa: F401 - imports our adapters, which import it in turn
import torch
from torch import nn

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.provenance import Offload, describe, versions
from mtpeft.core.records import RepresentationRecord
from mtpeft.data.token_arrays import TokenPairs, read_arrays
from mtpeft.decoding.forced_reading import ForcedReading
from mtpeft.methods import bring_in_for
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.models.architecture import side_of
from mtpeft.models.families import read_shape
from mtpeft.models.load import prepare_torch
from mtpeft.models.offload import place
from mtpeft.models.precision import precision_of
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import open_tokenizer, prompt_keys, special_tokens_of

SIDES = ("encoder", "decoder")
DRAWS = 24_11
"""Seed of the draws of sentences."""
DIGITS = 6
"""Digits after the point of a resampled rank in the record."""
WRAPPED = "base_layer"
"""Name under which the wrappers of peft hold what they wrap."""
Take = Callable[[str, torch.Tensor], None]
"""Gets the name of a layer and its hidden states, shape (batch, length, d_model)."""


@dataclass
class GramMatrix:
    """The products of the columns of a matrix whose rows are given little by little.

    The rows are not centred, since their mean is a direction as well.

    Attributes:
        count: number of rows.
        products: transposed matrix times matrix, (width, width) in double precision, whose eigenvalues are the squares
            of the singular values.
    """

    count: int = 0
    products: torch.Tensor | None = field(default=None, repr=False)

    def add(self, rows: torch.Tensor) -> None:
        """Add rows, shape (rows, width)."""
        exact = rows.double()
        products = exact.T @ exact
        self.products = products if self.products is None else self.products + products
        self.count += len(rows)

    @property
    def effective_rank(self) -> float:
        """A number between 1 and the width; 0 where all rows are zero or there is none."""
        return 0.0 if self.products is None else rank_of(self.products)


def rank_of(products: torch.Tensor) -> float:
    """Return the effective rank of a matrix, given the products of its columns."""
    singular = torch.linalg.eigvalsh(products.cpu()).clamp_min(0).sqrt()
    total = singular.sum()
    if not total:
        return 0.0
    shares = singular / total
    return math.exp(float(torch.special.entr(shares).sum()))


@dataclass(frozen=True)
class TokenStates:
    """The hidden states of some layers by token, with the sentence of each token, to be resampled by sentence.

    Attributes:
        kept: by layer, for each batch, states of shape (tokens, width) and their sentences' rows in the token arrays.
    """

    kept: dict[str, list[tuple[torch.Tensor, np.ndarray]]]


def last_layers(layers: Sequence[str]) -> dict[str, str]:
    """Return the last layer of each side."""
    return {side_of(layer): layer for layer in layers}


def resampled_ranks(states: TokenStates, layer: str, resamples: int) -> list[float]:
    """Return the effective rank of a layer for resampled sentences, which are drawn alike for each set of one size."""
    rows = torch.cat([own for own, _ in states.kept[layer]]).double()
    places = np.concatenate([own for _, own in states.kept[layer]])
    sentences = int(places.max()) + 1
    generator, shares = np.random.default_rng([DRAWS, sentences]), np.full(sentences, 1 / sentences)
    found = []
    for _ in range(resamples):
        counts = torch.from_numpy(generator.multinomial(sentences, shares)[places]).to(rows)
        found.append(round(rank_of((rows * counts[:, None]).T @ rows), DIGITS))
    return found


def measure_representations(
    params: Mapping[str, Any],
    cell: Cell,
    *,
    trained: Path,
    dev: Path,
    record: Path,
    offload: Offload | None = None,
) -> None:
    """Write the effective rank of every layer, or that the cell has diverged.

    Args:
        params: `languages`, `threads`, the precision of the base model, and `resamples`, the number of resampled dev
            sets, where a claim asks for them.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        dev: token arrays of the dev set.
        record: `representations.json` of the cell.
        offload: where the layers of the base model lie until they run.

    Raises:
        DamagedError: the weights are not those that were trained, or the base model's not those that were taken in.
    """
    train = require_whole(trained)
    seen: dict[str, GramMatrix] = {}
    resampled: dict[str, list[float]] = {}
    execution: dict[str, Any] = {}
    precision = precision_of(params, cell.model)
    if train["status"] == "ok":
        bring_in_for(train["params"]["method"])
        device = prepare_torch(params["threads"])
        described = require_base(train)
        base = Path(described["folder"])
        layers = read_shape(json.loads((base / "config.json").read_text(encoding="utf-8"))).layers
        tokenizer = open_tokenizer(base, params["languages"], vocabulary=cell.model, **prompt_keys(described["params"]))
        model = place(open_tuned(base, trained.parent / "tuned", precision, offload=offload), device).eval()
        last = last_layers(layers)
        states = TokenStates({layer: [] for layer in last.values()} if "resamples" in params else {})
        seen = layer_states(
            model, layers, read_arrays(dev), special_tokens=special_tokens_of(tokenizer, model.config), states=states
        )
        resampled = {
            side: resampled_ranks(states, layer, params["resamples"])
            for side, layer in last.items()
            if layer in states.kept
        }
        execution = describe(str(device), params["threads"])
    sides = {side: [rows for layer, rows in seen.items() if side_of(layer) == side] for side in SIDES}
    content = RepresentationRecord(
        cell=cell.named,
        status=train["status"],
        params=dict(params),
        trained_sha256=sha256_of(trained),
        inputs={"dev_sha256": sha256_of(dev)},
        versions=versions(more=precision.packages),
        execution=execution,
        tokens={side: rows[0].count for side, rows in sides.items() if rows},
        effective_rank={side: [own.effective_rank for own in rows] for side, rows in sides.items() if rows},
        resampled_rank=resampled,
    )
    write_record(record, content.model_dump())


def layer_states(
    model: nn.Module,
    layers: Sequence[str],
    pairs: TokenPairs,
    *,
    special_tokens: SpecialTokens,
    states: TokenStates | None = None,
) -> dict[str, GramMatrix]:
    """Collect the hidden states of all tokens of a text by layer, without padding.

    Vectors that a method puts before the text are not counted, nor are tokens that they leave no room for.

    Args:
        model: in evaluation mode.
        layers: names of the layers.
        pairs: token arrays of the text.
        special_tokens: special tokens of the model.
        states: gets the states of the layers that it names.
    """
    seen, reading = {layer: GramMatrix() for layer in layers}, ForcedReading(model, special_tokens)
    kept = states.kept if states else {}

    def take(layer: str, hidden: torch.Tensor) -> None:
        tokens = reading.tokens(layer, hidden)
        seen[layer].add(tokens)
        if layer in kept:
            kept[layer].append((tokens, reading.sentences(layer, hidden)))

    with hooked_layers(model, layers, take):
        reading.read(pairs, np.arange(len(pairs.source)))
    return seen


def outermost_modules(model: nn.Module, layers: Sequence[str]) -> Mapping[str, nn.Module]:
    """Return the outermost module in the place of each layer: the layer itself or what wraps it.

    A bottleneck adapter after a layer, for example, wraps it, and the next layer reads the output of the wrapper.
    Transformers' `output_hidden_states` would give what the layer itself returns.

    Raises:
        LookupError: the model has no such layer.
    """
    found: dict[str, nn.Module] = {}
    # `named_modules` gives outer modules first.
    for name, module in model.named_modules():
        plain = "." + ".".join(part for part in name.split(".") if part != WRAPPED)
        for layer in layers:
            if layer not in found and plain.endswith(f".{layer}"):
                found[layer] = module
    if lacking := [layer for layer in layers if layer not in found]:
        raise LookupError(f"the model has no module {lacking[0]}")
    return found


@contextmanager
def hooked_layers(model: nn.Module, layers: Sequence[str], take: Take) -> Iterator[None]:
    """Give the hidden states that come out of each layer to `take` while this is open."""

    def hook(layer: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: take(layer, output[0] if isinstance(output, tuple) else output)

    handles = [module.register_forward_hook(hook(layer)) for layer, module in outermost_modules(model, layers).items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

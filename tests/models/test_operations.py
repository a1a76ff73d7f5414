"""Operations and memory in closed form are those that torch counts, on small models of every family."""

from typing import Any

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.search import translate
from mtpeft.front.prices.work import Trained, trained_by
from mtpeft.methods import METHODS
from mtpeft.models.families import read_shape
from mtpeft.models.load import random_model
from mtpeft.models.memory import OPTIMISER_STATES, training_memory
from mtpeft.models.operations import (
    FLOAT_BYTES,
    BatchSize,
    decoding_operations,
    model_sizes,
    training_operations,
)
from mtpeft.models.special_tokens import ForbiddenTokens, SpecialTokens
from mtpeft.training.objective import TARGET_POSITIONS, LossOptions, likelihood, target_positions
from support.family import CHECKPOINTS

FAMILIES = ["mbart50", "m2m100", "marian", "student", "t5", "t5_1.1"]
SHARES = {"full": None, "lora": 0.05, "adapter": 0.05, "prefix": 0.05, "layernorm": None}
ROWS, SOURCE, TARGET, ENTRIES = 6, 14, 9, 400
BATCH = BatchSize(ROWS, SOURCE, TARGET, ROWS * TARGET)
LAYERS = ("encoder_layers", "decoder_layers", "num_layers")


def config_of(family: str, layers: int) -> dict[str, Any]:
    """A model without dropout, whose attention is computed with matrix products, which torch counts."""
    config = {**CHECKPOINTS[family].config, "vocab_size": ENTRIES, "attn_implementation": "eager"}
    special = {"pad_token_id": ENTRIES - 1, "decoder_start_token_id": ENTRIES - 1}
    calm = dict.fromkeys([*(key for key in config if "layerdrop" in key), "dropout", "dropout_rate"], 0.0)
    deep = dict.fromkeys((key for key in LAYERS if key in config), layers)
    return config | deep | calm | (special if family in ("marian", "student") else {})


def tuned(family: str, method: str, layers: int) -> tuple[torch.nn.Module, Trained]:
    """A model in training with a method in it, and what that trains."""
    config = config_of(family, layers)
    trained = trained_by({"method": method}, read_shape(config), SHARES[method])
    model = random_model(config, seed=1).train()
    return METHODS[method].apply(model, trained.allocation.sizes, trained.options), trained


def inputs() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    source, target = torch.randint(5, 390, (ROWS, SOURCE)), torch.randint(5, 390, (ROWS, TARGET))
    return {
        "input_ids": source,
        "attention_mask": torch.ones_like(source),
        "decoder_input_ids": target,
        "labels": target,
    }


@pytest.mark.parametrize(
    ("family", "method", "layers", "most"),
    [
        *((family, "full", 2, 1.001) for family in FAMILIES),
        *((family, method, 6, 1.08) for family in ("mbart50", "t5_1.1") for method in ("lora", "adapter", "prefix")),
        ("student", "layernorm", 6, 1.08),
    ],
)
def test_operations_of_an_update_are_those_that_torch_counts(
    family: str, method: str, layers: int, most: float
) -> None:
    """Full fine-tuning to a thousandth; of a frozen model torch leaves out layers below the first trained one."""
    model, trained = tuned(family, method, layers)

    batch = inputs()
    batch[TARGET_POSITIONS] = target_positions(batch["labels"])

    with FlopCounterMode(display=False) as counter:
        likelihood.backward(model, batch, LossOptions(0.0), {"tokens": ROWS * TARGET})

    counted = training_operations(model_sizes(read_shape(config_of(family, layers))), BATCH, trained.part)
    assert 0.999 <= counted / counter.get_total_flops() <= most


@pytest.mark.parametrize("family", ["mbart50", "student", "t5"])
@pytest.mark.parametrize(("beam_size", "least"), [(1, 0.99), (3, 0.92)])
def test_operations_of_decoding_are_those_that_torch_counts(family: str, beam_size: int, least: float) -> None:
    """Beam search makes a step more than its longest hypothesis has tokens."""
    config = config_of(family, layers=1)
    model, end = random_model(config, seed=1).eval(), config.get("eos_token_id", 2)
    special_tokens = SpecialTokens(
        pad=config["pad_token_id"],
        end=end,
        begin=(config["decoder_start_token_id"],),
        max_length=60,
        forbidden=ForbiddenTokens(tokens=(end,) if beam_size == 1 else ()),
    )
    options = DecodingOptions(beam_size=beam_size, max_length_ratio=0.1)

    with FlopCounterMode(display=False) as counter:
        hypotheses = translate(model, list(inputs()["input_ids"]), options, special_tokens=special_tokens)

    longest = max(map(len, hypotheses))
    sizes = model_sizes(read_shape(config))
    counted = ROWS * decoding_operations(sizes, source=SOURCE, target=longest, beam_size=beam_size)
    assert longest > 10
    assert least <= counted / counter.get_total_flops() <= 1.01


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("method", "least", "most"), [("full", 0.8, 1.3), ("lora", 0.8, 1.6), ("layernorm", 0.8, 2.2)])
def test_memory_of_an_update_is_near_what_torch_keeps(family: str, method: str, least: float, most: float) -> None:
    """The closed form is an upper bound for methods that train nothing beside the linear layers."""
    model, trained = tuned(family, method, layers=2)
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        given = {name: tensor for name, tensor in inputs().items() if name != "labels"}
        logits = model(**given, use_cache=False).logits

    shape = read_shape(config_of(family, layers=2))
    beside = 0 if trained.part.base else trained.part.parameters
    held = FLOAT_BYTES * (shape.total + beside + OPTIMISER_STATES * trained.part.parameters + logits.numel())
    counted = training_memory(model_sizes(shape), BATCH, trained.part) - held
    assert least <= counted / sum(kept.values()) <= most

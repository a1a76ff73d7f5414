"""A base model that is never trained may be held in less: 8 or 4 bits for a weight, floats of 16 bits for the rest.

The bits are those of bitsandbytes: LLM.int8() (Dettmers et al. 2022, arXiv 2208.07339) and the 4-bit NormalFloat of
QLoRA (Dettmers et al. 2023, arXiv 2305.14314). Linear layers of the encoder and the decoder are quantised, embeddings
and the output projection never; neither is the second matrix of the feed-forward blocks of T5 and mT5, whose code can't
do with less. With 8 bits the inputs of a layer are quantised as well (on a processor in evaluation alone), but for
columns with an outlier anywhere in the batch, so that a sentence's translation may depend on what it is batched with.

Of peft's `prepare_model_for_kbit_training` nothing is needed: it freezes the base, as every tuner does by itself,
turns 16-bit floats into 32-bit ones, which `precision` decides here, and has activations computed twice to save memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from mtpeft.core import compat
from mtpeft.core.errors import UserError

PACKAGE = "bitsandbytes"
REQUIREMENTS = "envs/quantised.txt"
OUTLIER = 6.0
"""Magnitude from which on LLM.int8() keeps a column of a layer's inputs in 16 bits."""
PROBE = 64
"""Width of the layer that is tried before anything is done; a block of 4-bit weights."""


@dataclass(frozen=True)
class BasePrecision:
    """In what the base model of this label is held; as it says nothing, in 32-bit floats."""

    model: str
    quantised: int | None = None
    precision: str = "float32"

    @property
    def key(self) -> str | None:
        """The key of the configuration that makes the base another one than it was, if there is one."""
        named = {"quantised": self.quantised, "precision": self.precision != "float32"}
        return next((f"models.{self.model}.{key}" for key, given in named.items() if given), None)

    @property
    def floats(self) -> torch.dtype:
        """Type of what is not quantised, and of what is computed."""
        return getattr(torch, self.precision)

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages that results depend on besides those that all do."""
        return (PACKAGE,) if self.quantised else ()


WHOLE = BasePrecision("")
"""Held in 32-bit floats, as a model must be that is trained."""


def precision_of(settings: Mapping[str, Any], model: str) -> BasePrecision:
    """In what a job's settings say that the base model of this label is held."""
    return BasePrecision(model, **{key: settings[key] for key in ("quantised", "precision") if key in settings})


def require_quantisation(precision: BasePrecision, device: torch.device) -> None:
    """Try on one layer whether the base can be quantised here.

    Raises:
        UserError: bitsandbytes is not installed, or does not work on this device.
    """
    if precision.quantised is None:
        return
    given = f"'models.{precision.model}.quantised' is {precision.quantised}"
    try:
        import bitsandbytes
    except ImportError as error:
        raise UserError(
            f"{given}, but {PACKAGE} is not installed; run `pip install -r {REQUIREMENTS}`, or take the key out."
        ) from error
    kinds: dict[int, Callable[..., nn.Module]] = {
        8: partial(bitsandbytes.nn.Linear8bitLt, has_fp16_weights=False, threshold=OUTLIER),
        4: partial(bitsandbytes.nn.Linear4bit, quant_type="nf4"),
    }
    compat.silence_eight_bit_casts()
    try:
        kinds[precision.quantised](PROBE, PROBE).eval().to(device)(torch.ones(1, PROBE, device=device))
    except (RuntimeError, NotImplementedError) as error:
        raise UserError(
            f"{given}, but {PACKAGE} {bitsandbytes.__version__} does not work on this machine's {device.type} "
            f"({str(error).strip().splitlines()[0]}); run it where it does, or take the key out."
        ) from error


def loading_options(precision: BasePrecision) -> dict[str, Any]:
    """Options of `from_pretrained` for a base that is held so."""
    if precision.quantised is None:
        return {"dtype": precision.floats}
    from transformers import BitsAndBytesConfig

    return {"dtype": precision.floats, "quantization_config": BitsAndBytesConfig(**_quantisation(precision))}


def written_options(precision: BasePrecision) -> list[str]:
    """The same as they are written in Python, with the names of types in words."""
    named = (
        (key, precision.precision if value is precision.floats else value)
        for key, value in _quantisation(precision).items()
    )
    given = ", ".join(f"{key}={value!r}" for key, value in named)
    bits = [f"quantization_config=BitsAndBytesConfig({given})"] if given else []
    return [f"dtype={precision.precision!r}", *bits]


def _quantisation(precision: BasePrecision) -> dict[str, Any]:
    """Keys of transformers' BitsAndBytesConfig."""
    bits = {
        8: {"load_in_8bit": True, "llm_int8_threshold": OUTLIER},
        4: {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": precision.floats},
    }
    return bits[precision.quantised] if precision.quantised else {}


def settle(model: nn.Module) -> None:
    """Have 4-bit layers, if there are any, compute the same in evaluation as in training.

    8-bit layers are kept from logging at each call that they cast their inputs.
    """
    compat.silence_eight_bit_casts()
    compat.keep_four_bit_kernel(model)


def is_packed(layer: nn.Module) -> bool:
    """Whether the weights of a layer are quantised, and no matrix of its inputs and outputs."""
    return not layer.weight.is_floating_point()


def represented(parameter: nn.Parameter) -> int:
    """Parameters that a tensor stands for: 4-bit ones lie in pairs in the bytes of one."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else state.shape.numel()

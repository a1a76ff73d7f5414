"""The precision of a base model that stays frozen: weights of 8 or 4 bits, and 16-bit floats for the rest.

Quantisation is that of bitsandbytes: LLM.int8() (Dettmers et al. 2022, arXiv 2208.07339) and the 4-bit NormalFloat of
QLoRA (Dettmers et al. 2023, arXiv 2305.14314). Linear layers of the encoder and the decoder are quantised. Embeddings
and the output projection never are, nor is the second matrix of the feed-forward blocks of T5 and mT5, whose code needs
floats. With 8 bits the inputs of a layer are quantised as well (on a CPU in evaluation alone), except columns with an
outlier anywhere in the batch, so that a sentence's translation may depend on the other sentences of its batch.

Nothing of peft's `prepare_model_for_kbit_training` is needed: it freezes the base model, as an adapter does by itself,
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
from mtpeft.core.options import PrecisionOptions

PACKAGE = "bitsandbytes"
REQUIREMENTS = "envs/quantised.txt"
OUTLIER = 6.0
"""Magnitude from which on LLM.int8() keeps a column of a layer's inputs in 16 bits."""
PROBE = 64
"""Width of the layer that is tried first; a block of 4-bit weights."""


@dataclass(frozen=True)
class BasePrecision:
    """The precision of a base model's weights: by default 32-bit floats.

    Attributes:
        model: label of the model, for messages.
        quantised: bits of a weight of the linear layers, 8 or 4; None for floats.
        precision: torch's name of the floats that the rest is stored and computed in.
    """

    model: str
    quantised: int | None = None
    precision: str = "float32"

    @property
    def key(self) -> str | None:
        """The key of the configuration that lowers the precision, if there is one."""
        named = {"quantised": self.quantised, "precision": self.precision != "float32"}
        return next((f"models.{self.model}.{key}" for key, given in named.items() if given), None)

    @property
    def floats(self) -> torch.dtype:
        """Type of the weights that are not quantised, and of activations."""
        return getattr(torch, self.precision)

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages that results depend on besides those of all results."""
        return (PACKAGE,) if self.quantised else ()


WHOLE = BasePrecision("")
"""32-bit floats, which a model must have that is trained as a whole."""


def precision_of(params: Mapping[str, Any], model: str) -> BasePrecision:
    """Return the precision of the base model of this label in the params of a job."""
    options = PrecisionOptions.of(params)
    return BasePrecision(model, options.quantised, options.precision)


def require_quantisation(precision: BasePrecision, device: torch.device) -> None:
    """Try with one layer whether the base model can be quantised on this machine.

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
    """Return the options of `from_pretrained` for a base model of this precision."""
    if precision.quantised is None:
        return {"dtype": precision.floats}
    from transformers import BitsAndBytesConfig

    return {"dtype": precision.floats, "quantization_config": BitsAndBytesConfig(**_quantisation(precision))}


def written_options(precision: BasePrecision) -> list[str]:
    """Return the same options as they are written in Python."""
    named = (
        (key, precision.precision if value is precision.floats else value)
        for key, value in _quantisation(precision).items()
    )
    given = ", ".join(f"{key}={value!r}" for key, value in named)
    bits = [f"quantization_config=BitsAndBytesConfig({given})"] if given else []
    return [f"dtype={precision.precision!r}", *bits]


def _quantisation(precision: BasePrecision) -> dict[str, Any]:
    """Return the keys of transformers' BitsAndBytesConfig."""
    bits = {
        8: {"load_in_8bit": True, "llm_int8_threshold": OUTLIER},
        4: {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": precision.floats},
    }
    return bits[precision.quantised] if precision.quantised else {}


def keep_precision(model: nn.Module) -> None:
    """Have 4-bit layers, if there are any, compute the same in evaluation as in training.

    8-bit layers are kept from logging at each call that they cast their inputs.
    """
    compat.silence_eight_bit_casts()
    compat.keep_four_bit_kernel(model)


def is_packed(layer: nn.Module) -> bool:
    """Return whether the weights of a layer are quantised, so that they form no matrix of outputs times inputs."""
    return not layer.weight.is_floating_point()


def parameters_in(parameter: nn.Parameter) -> int:
    """Count the parameters that a tensor stands for; a byte holds two 4-bit ones."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else state.shape.numel()

"""Tuners of peft that add a product of small matrices to a weight, or make one of it."""

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.methods.base import TargetModule
from mtpeft.methods.peft.tuner import Keys, Options, SizedByLayer, Widths, method_by_layer

SCALING = {"scaling": (PositiveFloat, Field(default=2.0, description="Factor on the update: alpha over the rank."))}


def beside(module: str, *, per_size: int, max_size: int, base: int = 0) -> TargetModule:
    """Return a target module that may be left out."""
    return TargetModule(module=module, base=base, per_size=per_size, max_size=max_size, min_size=0)


def rank(size: int, widths: Widths, options: Options) -> Keys:
    """Set the rank to the size; nothing follows it."""
    return {"r": size}


def scaled_rank(size: int, widths: Widths, options: Options) -> Keys:
    """Set the rank to the size; alpha follows it, so that the scaling is one for all."""
    return {"r": size, "alpha": options.scaling * size}


def factors(width: int, factor: int) -> tuple[int, int]:
    """Split a width into two factors, the first at most `factor` and as near to it as can be, as LoKr chooses them."""
    if width % factor == 0:
        return factor, width // factor
    small = max(divisor for divisor in range(1, min(factor, int(width**0.5)) + 1) if width % divisor == 0)
    return small, width // small


def _kronecker(module: str, widths: Widths, options: Options) -> TargetModule:
    """Count a small whole matrix, and a large one of a rank: peft makes it whole from half its longer side on."""
    (rows, height), (columns, width) = (factors(x, options.factor) for x in (widths.outputs, widths.inputs))
    return beside(module, base=rows * columns, per_size=height + width, max_size=max(1, (max(height, width) - 1) // 2))


LOW_RANK = (
    SizedByLayer(
        name="LOHA",
        paper="Hyeon-Woo et al. 2021, FedPara: Low-Rank Hadamard Product (arXiv 2108.06098).",
        size_name="rank",
        options=SCALING,
        target=lambda module, x, options: beside(module, per_size=2 * (x.inputs + x.outputs), max_size=min(x)),
        keys_at=scaled_rank,
        patterns={"r": "rank_pattern", "alpha": "alpha_pattern"},
    ),
    SizedByLayer(
        name="LOKR",
        paper="Yeh et al. 2023, Navigating Text-To-Image Customization: From LyCORIS Fine-Tuning (arXiv 2309.14859).",
        size_name="rank",
        options={
            **SCALING,
            "factor": (PositiveInt, Field(default=8, description="Rows of the small factor of the Kronecker product.")),
        },
        target=_kronecker,
        keys_at=lambda size, x, options: {**scaled_rank(size, x, options), "decompose_factor": options.factor},
        patterns={"r": "rank_pattern", "alpha": "alpha_pattern"},
    ),
    SizedByLayer(
        name="HIRA",
        paper="Huang et al. 2025, HiRA: Parameter-Efficient Hadamard High-Rank Adaptation (ICLR 2025).",
        size_name="rank",
        target=lambda module, x, options: beside(module, per_size=x.inputs + x.outputs, max_size=min(x)),
        keys_at=rank,  # peft's `rank_pattern` of it has no effect
    ),
    SizedByLayer(
        name="DELORA",
        paper="Bini et al. 2025, DeLoRA: Decoupling Angles and Strength in Low-rank Adaptation (arXiv 2503.18225).",
        size_name="rank",
        options={"bound": (PositiveFloat, Field(default=15.0, description="Where the norm of the update starts."))},
        target=lambda module, x, options: beside(module, base=1, per_size=x.inputs + x.outputs, max_size=min(x)),
        keys_at=lambda size, x, options: {"r": size, "delora_lambda": options.bound},
        patterns={"r": "rank_pattern", "delora_lambda": "lambda_pattern"},
        stored_beside=lambda size, x, options: x.inputs,
    ),
    SizedByLayer(
        name="GRALORA",
        paper="Jung et al. 2025, GraLoRA: Granular Low-Rank Adaptation (arXiv 2505.20355).",
        size_name="rank, in pairs",
        options=SCALING,
        keys={"gralora_k": 2},
        target=lambda module, x, options: beside(
            module, per_size=2 * (x.inputs + x.outputs), max_size=max(1, min(x) // 2)
        ),
        keys_at=lambda size, x, options: scaled_rank(2 * size, x, options),
    ),
    SizedByLayer(
        name="GLORA",
        paper="Chavan et al. 2023, One-for-All: Generalized LoRA (arXiv 2306.07967).",
        size_name="rank",
        # Paths to the bias would have no gradient at the keys, and T5 has no biases.
        keys={"config_A_B": "lora", "config_C": "none", "config_D_E": "none"},
        target=lambda module, x, options: beside(module, per_size=2 * (x.inputs + x.outputs), max_size=min(x)),
        keys_at=rank,
        stored_beside=lambda size, x, options: x.inputs + 2 * x.outputs,
    ),
    SizedByLayer(
        name="MISS",
        paper="Kang & Yin 2024, MiSS: Revisiting the Trade-off in LoRA (arXiv 2409.15371).",
        size_name="rank",
        target=lambda module, x, options: beside(module, per_size=x.outputs, max_size=x.inputs),
        keys_at=rank,
    ),
    SizedByLayer(
        name="DEFT",
        paper="DEFT: Decompositional Efficient Fine-Tuning for Text-to-Image Models (NeurIPS 2025).",
        size_name="rank",
        target=lambda module, x, options: beside(module, per_size=x.inputs + x.outputs, max_size=min(x)),
        keys_at=rank,
        starts_as_base=False,
    ),
    SizedByLayer(
        name="PEANUT",
        paper="Zhong et al. 2024, PEANuT: Parameter-Efficient Adaptation with Weight-aware Neural Tweakers "
        "(arXiv 2410.01870).",
        size_name="rank",
        target=lambda module, x, options: beside(module, per_size=2 * x.outputs, max_size=min(x)),
        keys_at=rank,
    ),
    SizedByLayer(
        name="TINYLORA",
        paper="Morris et al. 2026, Learning to Reason in 13 Parameters (arXiv 2602.04118).",
        size_name="length of a vector",
        options={"rank": (PositiveInt, Field(default=8, description="Singular vectors of a weight that are mixed."))},
        keys={"save_projection": False},
        target=lambda module, x, options: beside(module, per_size=1, max_size=min(options.rank, *x) ** 2),
        keys_at=lambda size, x, options: {"u": size, "r": options.rank},
        stored_beside=lambda size, x, options: min(options.rank, *x) * sum(x),
        more={"decays": {"tinylora_v": True}},
    ),
)
METHODS = tuple(map(method_by_layer, LOW_RANK))

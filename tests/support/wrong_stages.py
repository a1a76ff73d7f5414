"""Wrong methods of several stages, as overlays over config.yaml, and the messages about them."""

from typing import Any

from mtpeft.config.load import merge


def staged(**changes: Any) -> dict[str, Any]:
    """An overlay with a method of two stages, changed."""
    right = {"method": "staged", "stages": ["prefix", "lora"], "sizes": [4], "rate_factors": [10, 1]}
    beside = {"dept": {"method": "dept"}, "mam": {"method": "mam"}, "oft": {"method": "OFT"}}
    known = {label: {**entry, "learning_rate": 1e-3} for label, entry in beside.items()}
    return {"methods": {**known, "pt_lora": {**right, "learning_rate": 1e-3, **changes}}}


def drawn(**changes: Any) -> dict[str, Any]:
    """The same, in a study."""
    return merge(staged(**changes), {"studies": {"budgets": {"methods": ["full", "none", "pt_lora"]}}})


WRONG_STAGES: list[tuple[Any, ...]] = [
    (staged(stages=["dept", "lora"]), "'methods.pt_lora.stages' names 'dept', whose method 'dept' can't stand there"),
    (staged(stages=["prefix", "bitfit"]), "'methods.pt_lora.stages' names 'bitfit', whose method 'bitfit' can't stand"),
    (
        merge(staged(), {"methods": {"prefix": {"losses": ["unlikelihood"]}}}),
        "'methods.pt_lora.stages' names 'prefix', whose losses ['unlikelihood'] would be lost; write them in",
    ),
    (drawn(sizes=[50], stages=["oft", "prefix"]), "'methods.pt_lora.sizes' has 50 for 'OFT', which has 1 to"),
    (
        drawn(stages=["prefix", "mam"]),
        "'methods.pt_lora.stages' has 'prefix' and 'mam', which would both change model.decoder.layers.0.encoder_attn",
    ),
    (drawn(stages=["bitfit", "lora"]), "'methods.pt_lora.stages' has 'bitfit' and 'lora', which would both change"),
    (staged(stages=["prefix", "loar"]), "'methods.pt_lora.stages' names 'loar', which is not in 'methods'", "'lora'?"),
    (staged(sizes=[4, 4]), "'methods.pt_lora.sizes' has 2 entries; write one for each stage but the last, 1 in all."),
    (staged(rate_factors=[1]), "'methods.pt_lora.rate_factors' has 1 entries; write one for each stage, 2 in all."),
    (staged(stages=["lora", "lora_embeddings"]), "'methods.pt_lora.stages' has a method twice (lora, lora)"),
    (staged(stages=["prefix", "full"]), "'methods.pt_lora.stages' names 'full', whose method 'full' can't stand there"),
    (staged(stages=["full", "lora"]), "'methods.pt_lora.stages' names 'full', whose method 'full' can't stand there"),
    (
        staged(method="staged_full"),
        "'methods.pt_lora.stages' names 'lora', whose method 'lora' can't stand there",
        "full",
    ),
    (
        merge(staged(), {"methods": {"prefix": {"network": 8}}}),
        "'methods.pt_lora.stages' names 'prefix', whose network is thrown away after training",
    ),
]

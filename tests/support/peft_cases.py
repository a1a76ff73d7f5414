"""Tuners of peft: what each is stored as, on which budget it is tried, and its exceptions.

One of each kind is tried on every family, the others on three; once all were tried on all.
"""

from collections.abc import Collection, Mapping
from typing import Any

from mtpeft.methods import METHODS
from support.method_cases import ALL_FAMILIES, FEW, But, Case

START, MERGE = "it starts as the base", "merging changes nothing"


def _case(
    name: str,
    folder: str = "",
    *,
    share: float | None = 0.05,
    but: Mapping[str, But] | None = None,
    families: Collection[str] = FEW,
    **options: Any,
) -> Case:
    """A case with the defaults of the options that are not given."""
    fields = METHODS[name].options.model_fields
    defaults = {key: entry.default for key, entry in fields.items() if key != "method"}
    given = {"method": name, **defaults, **options}
    return Case(given, folder or name, share=share, exceptions=but or {}, families=families)


def _starts_elsewhere(reason: str) -> dict[str, But]:
    return {START: But(reason)}


ROUNDED = _starts_elsewhere("what it begins with is the base but for rounding")
RANDOM = _starts_elsewhere("the vectors that it is made of begin at random")
PEFT_CASES: dict[str, Case] = {
    "ADALORA": _case("ADALORA", "SIZED_ADALORA", families=ALL_FAMILIES),
    "LOHA": _case("LOHA"),
    "LOKR": _case("LOKR", share=0.02),
    "HIRA": _case("HIRA", "SIZED_HIRA"),
    "DELORA": _case("DELORA"),
    "GRALORA": _case("GRALORA", "GRALORA", share=0.08),
    "GLORA": _case("GLORA", "GLORA", share=0.08),
    "MISS": _case("MISS", "SIZED_MISS"),
    "DEFT": _case("DEFT", "SIZED_DEFT", but=ROUNDED),
    "PEANUT": _case("PEANUT", "SIZED_PEANUT"),
    "TINYLORA": _case("TINYLORA", "SIZED_TINYLORA", rank=4, share=0.002),
    "OFT": _case("OFT", "SIZED_OFT"),
    "HRA": _case("HRA", "SIZED_HRA", but=ROUNDED),
    "PSOFT": _case("PSOFT", "SIZED_PSOFT"),
    "SHIRA": _case("SHIRA", "SIZED_SHIRA"),
    "SUPERTUNING": _case("SUPERTUNING", "SIZED_SUPERTUNING"),
    "SUPERTUNING with low rank": _case("SUPERTUNING", "SIZED_SUPERTUNING", rank=2),
    "FOURIERFT": _case("FOURIERFT"),
    "WAVEFT": _case("WAVEFT"),
    "C3A": _case("C3A"),
    "VERA": _case("VERA", share=0.04, families=ALL_FAMILIES),
    "PVERA": _case("PVERA"),
    "RANDLORA": _case("RANDLORA"),
    "UNILORA": _case("UNILORA", share=0.003, but=RANDOM),
    "VBLORA": _case("VBLORA", share=0.25, but=RANDOM),
    "FROD": _case("FROD", share=0.37, but=ROUNDED),
    "IA3": _case("IA3", share=None, families=ALL_FAMILIES),
    "ROAD": _case("ROAD", share=None),
    "ROAD with more": _case("ROAD", share=None, variant="road_4"),
    "BEFT": _case(
        "BEFT",
        share=None,
        but={MERGE: But("there is no bias to write it into", says="no bias", families=("mt5", "gemma3"))},
    ),
}

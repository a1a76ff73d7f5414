"""Groups of pairs: wrong ones, in the form of the other wrong configurations, and a cell that is trained on two."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.config.load import merge
from mtpeft.data.encode import encode_pair
from mtpeft.models.local import take_in_folder
from mtpeft.training.finetune import CellInputs
from support.config import DEFAULT, STUDY
from support.family import build_checkpoint

GROUP = "en-es+es-en"
"""Of two pairs with different target languages."""
SIDES = {"en-es": {"source": "en", "target": "es"}, "es-en": {"source": "es", "target": "en"}}


def together(*pairs: str, **changes: Any) -> dict[str, Any]:
    """An overlay with a study of these pairs and groups, and no other one."""
    study = {"figure": "budgets", **STUDY, "pairs": list(pairs), **changes}
    return {"studies": {**dict.fromkeys(DEFAULT["studies"]), "mine": study}}


def of_size(share: float, *pairs: str) -> dict[str, Any]:
    """An overlay in which a method with parameters for each language trains a share of the model on these pairs."""
    context = {"method": "context_lora", "learning_rate": 1.0e-3}
    catalogues = {"methods": {"context": context}, "budgets": {"b": share}, "pairs": {"en-de": {"corpus": "interface"}}}
    return catalogues | together(*pairs, methods=["context"], budgets=["b"])


WRONG_GROUPS: list[tuple[Any, ...]] = [
    (
        together("pt-en+de-en"),
        "'studies.mine.pairs' names the group 'pt-en+de-en'; a group has each pair once, sorted: write 'de-en+pt-en'.",
    ),
    (
        together("de-en+de-en+pt-en"),
        "'studies.mine.pairs' names the group 'de-en+de-en+pt-en'; a group has each pair once, sorted: write 'de-e",
    ),
    (
        together("de-en+pt-em"),
        "'studies.mine.pairs' names 'pt-em', which is not in 'pairs'; did you mean 'pt-en'?",
    ),
    (
        {"pairs": {"de+fr-en": {"corpus": "interface", "source": "de", "target": "en"}}},
        "'pairs' has the label 'de+fr-en', but a plus joins the pairs of a group; write another sign.",
    ),
    (
        merge(
            together("de-en+pt-en", methods=["full", "adapter"], budgets=["b10"]),
            {"findings": {"parity": {"study": "mine"}}},
        ),
        "'findings.parity.study' has the group 'de-en+pt-en', but claims compare cells of one pair each; take the gr",
    ),
    (
        of_size(0.9, "de-en", "de-en+pt-en"),
        "'studies.mine.budgets' asks for 'b' (90.000% of 'small'), which method 'context' can't meet: it reaches 0.02",
    ),
    (
        of_size(0.0003, "de-en", "de-en+en-de"),
        "'studies.mine.budgets' asks for 'b' (0.030% of 'small'), which method 'context' can't meet on 'de-en+en-de': ",
    ),
    ({"training": {"temperature": 0.5}}, "'training.temperature' is 0.5; write a number of at least 1."),
]


def group_inputs(name: str, sweep: Path, folder: Path) -> CellInputs:
    """A checkpoint of a family taken in, and the text of the tiny sweep in its tokens, one member as if of Spanish.

    The second member has half of the rows of the first.
    """
    checkpoint = build_checkpoint(name, folder / "checkpoint")
    base, pairs = folder / name / "base.json", sweep / "data/pairs/es-en"
    take_in_folder({"step_version": 1, "path": str(checkpoint)}, record=base)
    members = []
    for label, sides in SIDES.items():
        arrays = {pairs / f"{part}.tsv": folder / label / f"{part}.safetensors" for part in ("train", "dev")}
        encode_pair({**sides, "vocabulary": name}, tokenizer=checkpoint, parts=arrays)
        members.append(CellInputs(base, *arrays.values(), pairs / "dev.tsv", pairs / "subsets/n44.txt"))
    fewer = folder / "fewer.txt"
    rows = members[1].subset.read_text(encoding="utf-8").splitlines()
    fewer.write_text("\n".join(rows[: len(rows) // 2]) + "\n", encoding="utf-8")
    return replace(members[0], others=(replace(members[1], subset=fewer),))


def group_params(params: dict[str, Any], temperature: float = 1.0) -> dict[str, Any]:
    """Params of a cell with the group in the place of its pair."""
    optimisation = {**params["optimisation"], "temperature": temperature}
    others = {key: value for key, value in params.items() if key != "languages"}
    return {**others, "optimisation": optimisation, "members": SIDES, "pairs_each": 44}

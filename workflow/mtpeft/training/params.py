"""The params of a cell's training, parsed once into types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mtpeft.core.options import DecodingOptions, EvaluationOptions, Optimisation
from mtpeft.methods import options_of
from mtpeft.methods.base import MethodOptions
from mtpeft.models.tokenizer import Side


@dataclass(frozen=True)
class CellParams:
    """Params of the training of a cell: everything besides the input files on which it depends.

    Attributes:
        plain: the JSON object that the rule gives, for records and saved states.
        method: options of the method.
        budget: requested share of the base model's parameters, or None where the method has no choice.
        optimisation: options of the training, with the updates and the learning rate of the cell.
        search: how hypotheses are searched.
        evaluation: how the dev set is read during training.
        languages: languages of each language pair that is trained on.
        pairs: labels of these pairs; empty where a cell is trained on one pair.
        seed: seed of the order of the batches, of dropout and of new parameters.
        draw: seed that has drawn the training subset, or `fixed`.
        threads: torch's threads.
    """

    plain: Mapping[str, Any]
    method: MethodOptions
    budget: float | None
    optimisation: Optimisation
    search: DecodingOptions
    evaluation: EvaluationOptions
    languages: tuple[Mapping[Side, str], ...]
    pairs: tuple[str, ...]
    seed: int
    draw: str
    threads: int

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """Parse the params of a training step."""
        members = params.get("members", {})
        return cls(
            plain=params,
            method=options_of(params["method"]),
            budget=params["budget"],
            optimisation=Optimisation.model_validate(params["optimisation"]),
            search=DecodingOptions.model_validate(params["search"]),
            evaluation=EvaluationOptions.model_validate(params.get("evaluation", {})),
            languages=tuple(members.values()) or (params["languages"],),
            pairs=tuple(members),
            seed=params["seed"],
            draw=str(params.get("draws", params["seed"])),
            threads=params["threads"],
        )

"""The text of a study of one's own: an overlay over config.yaml, with comments that say what each part is for."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

BATCH_TOKENS, EPOCHS = 2048, 12
MOST_THREADS = 8
SIZED_OPTIONS = {"adapter": {"activation": "relu"}, "lora": {"scaling": 2.0}}
RATES = {
    True: {"full": [2.0e-5, 5.0e-5, 1.0e-4], "adapter": [2.0e-4, 5.0e-4, 1.0e-3], "lora": [2.0e-4, 5.0e-4, 1.0e-3]},
    False: {"full": [5.0e-4, 1.0e-3, 2.0e-3], "adapter": [2.5e-3, 5.0e-3, 1.0e-2], "lora": [2.5e-3, 5.0e-3, 1.0e-2]},
}


@dataclass(frozen=True)
class Request:
    """What a user has: a parallel text in two languages, and a model.

    Attributes:
        files: two line-aligned files, source first, or one table or translation memory.
        source: BCP 47 tag.
        target: BCP 47 tag.
        model: a folder, or `owner/name@commit` of the hub.
        columns: of a table: names or numbers of source and target.
    """

    files: Sequence[str]
    source: str
    target: str
    model: str
    columns: Sequence[str] = ()

    @property
    def pair(self) -> str:
        """Label of the pair, which is none of config.yaml."""
        return f"mine-{self.source}-{self.target}"

    @property
    def kind(self) -> str:
        """Key of the model's entry."""
        return "hub" if "@" in self.model else "path"


@dataclass(frozen=True)
class Plan:
    """Numbers that fit the text and the model, and the languages that the model has no token for."""

    pairs: int
    dev: int
    test: int
    sizes: Mapping[str, Mapping[str, int]]
    budgets: Mapping[str, float]
    large: bool
    new_languages: Sequence[str] = ()

    @property
    def middle(self) -> str:
        """Label of the budget in the middle."""
        return list(self.budgets)[len(self.budgets) // 2]


def overlay_text(request: Request, files: Mapping[str, Any], plan: Plan) -> str:
    """The overlay, with comments that say what each part is for."""
    parts = {
        "A study of one's own, laid over config.yaml: `make figures CONFIG=<this file>`.": {},
        "The text. Dev and test sentences are drawn from it; all that is near them is kept out of training.": {
            "corpora": {"mine": _corpus(request, files, plan)},
            "pairs": {request.pair: {"corpus": "mine", "source": request.source, "target": request.target}},
        },
        "The model, and torch's threads for it, which are a part of the result.": {"models": _models(request, plan)},
        f"Training pairs, and updates: about {EPOCHS} epochs, but never few or very many.": {"sizes": plan.sizes},
        "Shares of the model's parameters that a cell may train.": {"budgets": plan.budgets},
        "Learning rates are searched for on the dev set, with a seed that no comparison uses.": {
            "methods": {name: {"learning_rate": {"search": rates}} for name, rates in RATES[plan.large].items()},
            "tuning": {"pair": request.pair, "seed": 0, "table": None},
            "training": {"batch_tokens": BATCH_TOKENS, "dropout": 0.1, "label_smoothing": 0.1, "evaluations": 5},
        },
        "What is run and drawn. `~` takes an entry of config.yaml out.": {
            "studies": _studies(request, plan),
            "findings": {
                "budget": {"methods": list(SIZED_OPTIONS)},
                "small_data": {"size": next(iter(plan.sizes)), "methods": list(SIZED_OPTIONS), "budget": plan.middle},
                **dict.fromkeys(("parity", "distance", "larger")),
            },
        },
    }
    return "\n".join(f"# {comment}\n{_yaml(content)}" for comment, content in parts.items())


def _corpus(request: Request, files: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    return {
        "files": dict(files),
        "written_in": request.source,
        "clean": {"max_characters": 600, "max_words": 100},
        "split": {"dev": plan.dev, "test": plan.test, "words": [3, 60]},
    }


def _models(request: Request, plan: Plan) -> dict[str, Any]:
    """The model or, where it lacks a language, itself and another with a token for that, the mean of all at first."""
    given, threads = {request.kind: request.model}, {"threads": min(os.cpu_count() or 1, MOST_THREADS)}
    if not plan.new_languages:
        return {"mine": given | threads}
    new = {language: {} for language in plan.new_languages}
    return {"given": given | threads, "mine": {"extend": {"model": "given", "languages": new}} | threads}


def _studies(request: Request, plan: Plan) -> dict[str, Any]:
    chosen = {"budgets": ([*plan.sizes][-1:], list(plan.budgets)), "data_sizes": ([*plan.sizes], [plan.middle])}
    shared = {"models": ["mine"], "pairs": [request.pair], "methods": ["full", *SIZED_OPTIONS, "none"]}
    studies = {
        study: {**shared, "sizes": sizes, "budgets": budgets, "seeds": [1, 2, 3], "also": []}
        for study, (sizes, budgets) in chosen.items()
    }
    return {**studies, **dict.fromkeys(("languages", "models", "embeddings"))}


class _WithoutAliases(yaml.SafeDumper):
    """Writes equal lists each time in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(content: Mapping[str, Any]) -> str:
    text = yaml.dump(
        dict(content), Dumper=_WithoutAliases, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110
    )
    return text.replace("null", "~") if content else ""

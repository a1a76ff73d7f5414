"""Compose the overlay of a user's first study: YAML over config.yaml, with comments that say what each part is for."""

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mtpeft.cells import RESERVED
from mtpeft.config.load import DEFAULT_FILE, read_yaml
from mtpeft.data.cleaning_options import PROSE

BATCH_TOKENS, EPOCHS = 2048, 12
MOST_THREADS = 8
SIZED_OPTIONS = {"adapter": {"activation": "relu"}, "lora": {"scaling": 2.0}}
"""Options of the methods of the study that have a budget."""
RATES = {
    True: {"full": [2.0e-5, 5.0e-5, 1.0e-4], "adapter": [2.0e-4, 5.0e-4, 1.0e-3], "lora": [2.0e-4, 5.0e-4, 1.0e-3]},
    False: {"full": [5.0e-4, 1.0e-3, 2.0e-3], "adapter": [2.5e-3, 5.0e-3, 1.0e-2], "lora": [2.5e-3, 5.0e-3, 1.0e-2]},
}
"""Learning rates to search, by whether the model is large."""
NAMES = {"dev": "dev_files", "test": "test_files"}
"""Keys of a corpus for its given parts."""
LONGEST_NAME = 40
"""Most characters of the name of a file that are taken over into a label."""


def free_label(name: str, catalogue: str, otherwise: str) -> str:
    """Make a label of the name of a file that config.yaml has not in a catalogue, so that no entries are merged."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", letters).strip("._-")[:LONGEST_NAME] or otherwise
    return f"own_{plain}" if plain in read_yaml(DEFAULT_FILE)[catalogue] or plain in RESERVED else plain


@dataclass(frozen=True)
class Request:
    """A user's request: a parallel text in two languages, and a model.

    Attributes:
        files: two line-aligned files, source first, or one table or translation memory.
        source: BCP 47 tag of the source language.
        target: BCP 47 tag of the target language.
        model: a folder, or `owner/name@commit` of the hub.
        columns: names or numbers of the columns of source and target, if the file has columns.
        dev: files of a dev set, in any of these formats; none where it is drawn from the text.
        test: files of a test set, likewise.
    """

    files: Sequence[str]
    source: str
    target: str
    model: str
    columns: Sequence[str] = ()
    dev: Sequence[str] = ()
    test: Sequence[str] = ()

    @property
    def parts(self) -> dict[str, Sequence[str]]:
        """The files of all parts of the text that are given."""
        return {"files": self.files} | {part: given for part in ("dev", "test") if (given := getattr(self, part))}

    @property
    def corpus(self) -> str:
        """Label of the corpus, after the name of its file."""
        return free_label(Path(self.files[0]).name.split(".")[0], "corpora", "text")

    @property
    def pair(self) -> str:
        """Label of the pair, which config.yaml has not."""
        return f"{self.corpus}-{self.source}-{self.target}"

    @property
    def model_label(self) -> str:
        """Label of the model, after the name of its folder or of its page."""
        return free_label(Path(self.model.rsplit("@", 1)[0]).resolve().name, "models", "base")

    @property
    def kind(self) -> str:
        """Key of the model's entry: `path` for a folder, `hub` for a model of the hub."""
        return "path" if "@" not in self.model or Path(self.model).exists() else "hub"


@dataclass(frozen=True)
class Plan:
    """Numbers that fit the text and the model, and the languages for which the model has no token.

    Attributes:
        split: number of sentences that are drawn from the text for dev and test, where they are not given.
        sizes: number of training pairs and of updates, by label.
        budgets: shares of the model's parameters, by label.
        large: whether the model needs the small learning rates of large models.
        new_languages: languages for which the model gets a new token.
    """

    split: Mapping[str, int]
    sizes: Mapping[str, Mapping[str, int]]
    budgets: Mapping[str, float]
    large: bool
    new_languages: Sequence[str] = ()

    @property
    def middle(self) -> str:
        """Label of the budget in the middle."""
        return list(self.budgets)[len(self.budgets) // 2]


def overlay_text(request: Request, files: Mapping[str, Mapping[str, Any]], plan: Plan) -> str:
    """Write the overlay, with comments that say what each part is for."""
    drawn = (
        "Dev and test sentences that are not given are drawn from it; all that is near them is kept out of training."
    )
    parts = {
        "A study of one's own, laid over config.yaml: `make figures CONFIG=<this file>`.": {},
        f"The text. {drawn}": {
            "corpora": {request.corpus: _corpus(request, files, plan)},
            "pairs": {request.pair: {"corpus": request.corpus, "source": request.source, "target": request.target}},
        },
        "The model, and torch's threads for it, which are a part of the result.": {"models": _models(request, plan)},
        f"Training pairs, and updates: about {EPOCHS} epochs, but never few or very many.": {"sizes": plan.sizes},
        "Shares of the model's parameters that a cell may train.": {"budgets": plan.budgets},
        "Learning rates are searched for on the dev set, with a seed that no comparison uses.": {
            "methods": {name: {"learning_rate": {"search": rates}} for name, rates in RATES[plan.large].items()},
            "rate_search": {"pair": request.pair, "seed": 0, "table": None},
            "training": {"batch_tokens": BATCH_TOKENS, "dropout": 0.1, "label_smoothing": 0.1, "evaluations": 5},
        },
        "What is run and drawn. `~` takes an entry of config.yaml out.": {
            "studies": _all_taken_out("studies") | _studies(request, plan),
            "findings": _all_taken_out("findings")
            | {
                "budget": {"methods": list(SIZED_OPTIONS)},
                "small_data": {"size": next(iter(plan.sizes)), "methods": list(SIZED_OPTIONS), "budget": plan.middle},
            },
        },
    }
    return "\n".join(f"# {comment}\n{_yaml(content)}" for comment, content in parts.items())


def _corpus(request: Request, files: Mapping[str, Mapping[str, Any]], plan: Plan) -> dict[str, Any]:
    return {
        **{NAMES.get(part, part): dict(described) for part, described in files.items()},
        "written_in": request.source,
        "clean": {key: getattr(PROSE.cleaning, key) for key in ("max_characters", "max_words", "max_length_ratio")},
        "split": dict(plan.split) | {"words": [3, 60]},
    }


def _models(request: Request, plan: Plan) -> dict[str, Any]:
    """Describe the model or, where it lacks a language, the model and an extension of it with a token for that."""
    given, threads = {request.kind: request.model}, {"threads": min(os.cpu_count() or 1, MOST_THREADS)}
    label, base = request.model_label, f"{request.model_label}-before"
    if not plan.new_languages:
        return {label: given | threads}
    new = {language: {} for language in plan.new_languages}
    return {base: given | threads, label: {"extend": {"model": base, "languages": new}} | threads}


def _studies(request: Request, plan: Plan) -> dict[str, Any]:
    chosen = {"budgets": ([*plan.sizes][-1:], list(plan.budgets)), "data_sizes": ([*plan.sizes], [plan.middle])}
    shared = {"models": [request.model_label], "pairs": [request.pair], "methods": ["full", *SIZED_OPTIONS, "none"]}
    return {
        study: {**shared, "sizes": sizes, "budgets": budgets, "seeds": [1, 2, 3], "also": []}
        for study, (sizes, budgets) in chosen.items()
    }


def _all_taken_out(section: str) -> dict[str, None]:
    """Entries by which an overlay takes everything in a section of config.yaml out."""
    return dict.fromkeys(read_yaml(DEFAULT_FILE)[section])


class _WithoutAliases(yaml.SafeDumper):
    """Write equal lists in full each time, without references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(content: Mapping[str, Any]) -> str:
    text = yaml.dump(
        dict(content), Dumper=_WithoutAliases, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110
    )
    return text.replace("null", "~") if content else ""

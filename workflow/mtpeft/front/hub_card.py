"""The page of a trained cell on a model hub: scores, training, text, licences, and how it is called."""

from huggingface_hub import EvalResult, ModelCardData

from mtpeft.core.languages import english_name
from mtpeft.front.cell_facts import CellFacts, Measured
from mtpeft.metrics.base import METRICS

NO_LICENCE = "Nothing in the records names the licence of the base model; look it up before you publish this one."


def hub_card(facts: CellFacts, usage: str, library: str) -> str:
    """Write the page of a folder for a hub.

    Args:
        facts: of the cell.
        usage: how the folder is called, in Markdown.
        library: that opens the folder: `transformers` or `peft`.
    """
    source, target = map(english_name, facts.languages)
    sections = (
        f"# {facts.cell.path}\n\nIt translates {source} ({facts.languages[0]}) into {target} ({facts.languages[1]}).",
        f"## Scores\n\n{_scores(facts)}",
        f"## Training\n\n{_training(facts)}",
        f"## Text\n\n{_text(facts)}",
        f"## Licence\n\n{_licences(facts)}",
        f"## How to translate with it\n\n{usage.strip()}",
    )
    return f"---\n{_front_matter(facts, library).to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _front_matter(facts: CellFacts, library: str) -> ModelCardData:
    """What a hub reads of a page; the licence is the author's to choose, so it stays empty."""
    source, target = facts.languages
    return ModelCardData(
        model_name=facts.cell.path,
        language=[language.partition("-")[0] for language in dict.fromkeys(facts.languages)],
        library_name=library,
        base_model=facts.base[0] if facts.base else None,
        tags=["translation", *({facts.train["params"]["method"]["method"].lower()} - {"full"})],
        eval_results=[
            EvalResult(
                task_type="translation",
                dataset_type="custom",
                dataset_name=f"{measured.test_set} of {facts.pair}, {source} to {target}",
                metric_type=measured.metric,
                metric_name=METRICS[measured.metric].title,
                metric_value=round(measured.score, 2),
            )
            for measured in facts.measured
        ],
    )


def _scores(facts: CellFacts) -> str:
    if not facts.measured:
        return "It has not been scored."
    rows = [
        f"| {METRICS[own.metric].title} | {own.test_set} | {own.score:.2f} | "
        f"{own.interval[0]:.2f} to {own.interval[1]:.2f} | {_number(own)} | `{_cell_of(own.signature)}` |"
        for own in facts.measured
    ]
    return "\n".join(
        [
            "| metric | test set | score | 95 % interval over sentences | untouched base model | signature |",
            "|---|---|---:|---:|---:|---|",
            *rows,
        ]
    )


def _cell_of(text: str) -> str:
    """Escape what would end a cell of a table."""
    return text.replace("|", "\\|")


def _number(measured: Measured) -> str:
    return "not measured" if measured.untouched is None else f"{measured.untouched:.2f}"


def _training(facts: CellFacts) -> str:
    train, options = facts.train, facts.train["params"]["method"]
    optimisation = train["params"]["optimisation"]
    others = ", ".join(f"{name} {value}" for name, value in sorted(options.items()) if name != "method" and value)
    rows = {
        "method": options["method"] + (f" ({others})" if others else ""),
        "budget": facts.cell.budget,
        "trained parameters": f"{train['trained_parameters']:,} of {train['total_parameters']:,} "
        f"({train['trained_parameters'] / train['total_parameters']:.2%})",
        "sentence pairs": f"{train['training_pairs']:,}",
        "updates": f"{train['updates']:,} of at most {optimisation['batch_tokens']:,} padded tokens; "
        f"chosen at {train['best_step']:,} by the dev score",
        "peak learning rate": f"{train['learning_rate']:g}",
        "seed": str(train["params"]["seed"]),
        "base model": " at ".join(f"`{part}`" for part in facts.base) if facts.base else f"`{facts.cell.model}`",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _text(facts: CellFacts) -> str:
    if not facts.text:
        return "The records of its text are not where the cell was handed over."
    named = [f"- {name}: {licence or 'licence not recorded'}" for name, licence in facts.text.items()]
    return "\n".join(
        ["The test set comes from these sources, as the training text does unless it was given apart:", "", *named]
    )


def _licences(facts: CellFacts) -> str:
    if facts.base:
        return f"The licence of the base model is on the page of `{facts.base[0]}`; this model is a changed copy of it."
    if not facts.licences:
        return NO_LICENCE
    return "The base model has this licence, and this model is a changed copy of it: " + "; ".join(facts.licences) + "."

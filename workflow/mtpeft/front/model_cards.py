"""The cards of the models that come with the project: what each was made from, how, and what it can't do."""

from collections.abc import Iterator, Mapping
from typing import Any

from mtpeft.core.records import DataRecord

PRETRAINED_LIMITS = """\
- It read labels and other short messages of user interfaces, and few sentences. It is there to be fine-tuned by a study
  that two CPU cores can run: it translates badly or, pre-trained by denoising, not at all. It knows no direction but
  into English, and no other kind of text.
- Dev and test sentences of the default study are not in its text, exactly or nearly, in any language, and fine-tuning
  sentences not exactly; those of another text may be. Keep wheels, cleaning and split of the corpus as they are, or
  pre-train again with `make pretrain`.
- It was trained once with this seed. What holds for it holds for this checkpoint."""


def pretrained_card(training: Mapping[str, Any], megabytes: float, *, data: DataRecord) -> str:
    """The card of a model that was pre-trained from nothing, in Markdown, from the records of training and data."""
    params, config, run = training["params"], training["params"]["config"], training["training"]
    noise = params["noise"]
    return "\n".join(
        (
            f"# {training['model']}",
            "",
            f"An mBART model of {training['total_parameters']:,} parameters ({megabytes:.1f} MB as 16-bit floats), "
            f"pre-trained from nothing by {params['objective']}.",
            "",
            "| | |",
            "|---|---|",
            "| made by | `make pretrain`, which reads `workflow/studies/pretrain.yaml` |",
            f"| architecture | {config['encoder_layers']} + {config['decoder_layers']} layers, width "
            f"{config['d_model']}, feed-forward {config['encoder_ffn_dim']}, "
            f"{config['encoder_attention_heads']} heads, "
            f"{config['vocab_size']} entries in the vocabulary, embeddings tied |",
            f"| embeddings | {config['vocab_size'] * config['d_model'] / training['total_parameters']:.0%} of the "
            "parameters |",
            f"| text | {_rows_read(params['rows'], data):,} sentence pairs of {', '.join(sorted(data.pairs))} |",
            f"| training | {params['updates']:,} updates of at most {params['batch_tokens']} padded tokens, "
            f"{run['target_tokens']:,} target tokens, peak learning rate {params['learning_rate']:g}, seed "
            f"{params['seed']}, {run['seconds'] / 60:.0f} minutes of {params['threads']} CPU core |",
            f"| against learning by heart | dropout {config['dropout']}; after {noise['begin']:.0%} of the updates "
            f"{noise['joined']:.0%} of the batches with rows joined, {noise['masked_source']:.0%} of the source and "
            f"{noise['masked_target']:.0%} of the decoder's input masked |",
            f"| chosen at | update {run['best_step']:,}, by the dev loss |",
            "",
            "Dev loss (nats per token, all pairs together):",
            "",
            "| update | loss |",
            "|---:|---:|",
            *(f"| {entry['step']:,.0f} | {-entry['score']:.3f} |" for entry in run["dev_history"]),
            "",
            "What it can't do:",
            "",
            PRETRAINED_LIMITS,
            "",
            "Hashes of all texts, and what was taken out of them, are in `data.json`, the training's record in "
            "`training.json`; `../README.md` tells what else was tried.",
            "",
        )
    )


def _rows_read(most: int | None, data: DataRecord) -> int:
    """Number of sentence pairs that were read, at most so many of each language pair."""
    found = [pair["rows"]["pretrain"] for pair in data.pairs.values()]
    return sum(min(most or rows, rows) for rows in found)


LIMITS = """\
- It translates from the languages that the original knows, worse than that. It is there to ask what a smaller model can
  do, such as whether a larger one with few trained parameters beats it.
- Dev and test sentences of the default study are not in the text that the workflow has trained it on; nobody but its
  publisher knows what a published original has read.
- It was made once. What holds for it holds for this checkpoint."""
KINDS = {"weights": "single weights", "feed_forward": "neurons of feed-forward blocks", "heads": "heads of attention"}


def smaller_card(training: Mapping[str, Any], megabytes: float, *, data: DataRecord, licence: str) -> str:
    """The card of a model that has some layers of another one, or was pruned, in Markdown, from its record.

    Args:
        training: record of the model.
        megabytes: of its weights.
        data: the text that healed it, or that the original was pre-trained on.
        licence: of the original, and who names it.
    """
    params, origin = training["params"], training["origin"]
    healed = list(_healing(params["heal"], origin)) if "heal" in params else []
    before = origin.get("total_parameters_before")
    had = f", which has {before:,}" if before else ""
    rows = sum(pair["rows"]["pretrain"] for pair in data.pairs.values())
    return "\n".join(
        (
            f"# {training['model']}",
            "",
            f"A model of {training['total_parameters']:,} parameters ({megabytes:.1f} MB as 16-bit floats): a part of "
            f"`{origin['model']}`{had}, {'healed by training' if healed else 'as it is left, without any training'}.",
            "",
            "| | |",
            "|---|---|",
            "| made by | `make pretrain`, which reads `workflow/studies/pretrain.yaml` |",
            _what_is_left(params),
            f"| licence | {licence} |",
            *([f"| text | {rows:,} sentence pairs of {', '.join(sorted(data.pairs))} |"] if data.pairs else []),
            *healed,
            "",
            "What it can't do:",
            "",
            LIMITS,
            "",
            "Hashes of all texts, and what was taken out of them, are in `data.json`, the training's record in "
            "`training.json`; `../README.md` tells what else was tried.",
            "",
        )
    )


def _what_is_left(params: Mapping[str, Any]) -> str:
    if "kind" in params:
        return f"| pruned | {params['share']:.0%} of the {KINDS[params['kind']]}, those of least magnitude |"
    return f"| layers | {params['encoder']} of the encoder and {params['decoder']} of the decoder |"


def _healing(heal: Mapping[str, Any], origin: Mapping[str, Any]) -> Iterator[str]:
    optimisation = heal["optimisation"]
    yield (
        f"| training | {optimisation['updates']:,} updates of at most {optimisation['batch_tokens']} padded "
        f"tokens, peak learning rate {optimisation['learning_rate']:g}, dropout {optimisation['dropout']:g}, seed "
        f"{heal['seed']}, {origin['train_seconds'] / 60:.0f} minutes of {heal['threads']} CPU core |"
    )
    yield from ("", "chrF on the dev set:", "", "| update | chrF |", "|---:|---:|")
    yield from (f"| {entry['step']:,.0f} | {entry['score']:.1f} |" for entry in origin["dev_history"])

"""The cards of the models that come with the project: what each was made from, how, and what it can't do."""

from collections.abc import Mapping
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


HEALED_LIMITS = """\
- It translates from the language that it was healed on, worse than the model that it was made from, which had read far
  more text. It is there to ask whether a larger model with few trained parameters beats a smaller one.
- Dev and test sentences of the default study are not in the text that healed it; nobody but its publisher knows what
  the original has read.
- It was healed once with this seed. What holds for it holds for this checkpoint."""


def healed_card(training: Mapping[str, Any], megabytes: float, *, data: DataRecord, licence: str) -> str:
    """The card of a model that has some layers of a published one, in Markdown, from its record.

    Args:
        training: record of the model.
        megabytes: of its weights.
        data: the text that healed it.
        licence: of the published model, and who names it.
    """
    params, origin = training["params"], training["origin"]
    heal = params["heal"]
    optimisation, history = heal["optimisation"], origin["dev_history"]
    rows = sum(pair["rows"]["pretrain"] for pair in data.pairs.values())
    return "\n".join(
        (
            f"# {training['model']}",
            "",
            f"A model of {training['total_parameters']:,} parameters ({megabytes:.1f} MB as 16-bit floats): some "
            f"layers of `{origin['model']}`, which has {origin['total_parameters_before']:,}, healed by training.",
            "",
            "| | |",
            "|---|---|",
            "| made by | `make pretrain`, which reads `workflow/studies/pretrain.yaml` |",
            f"| layers | {params['encoder']} of the encoder and {params['decoder']} of the decoder |",
            f"| licence | {licence} |",
            f"| text | {rows:,} sentence pairs of {', '.join(sorted(data.pairs))} |",
            f"| training | {optimisation['updates']:,} updates of at most {optimisation['batch_tokens']} padded "
            f"tokens, peak learning rate {optimisation['learning_rate']:g}, dropout {optimisation['dropout']:g}, seed "
            f"{heal['seed']}, "
            f"{origin['train_seconds'] / 60:.0f} minutes of {heal['threads']} CPU core |",
            "",
            "chrF on the dev set:",
            "",
            "| update | chrF |",
            "|---:|---:|",
            *(f"| {entry['step']:,.0f} | {entry['score']:.1f} |" for entry in history),
            "",
            "What it can't do:",
            "",
            HEALED_LIMITS,
            "",
            "Hashes of all texts, and what was taken out of them, are in `data.json`, the training's record in "
            "`training.json`; `../README.md` tells what else was tried.",
            "",
        )
    )

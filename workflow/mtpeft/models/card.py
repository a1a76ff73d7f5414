"""The card of a model that comes with the project: how it was made, from what, and what it can't do."""

from collections.abc import Mapping
from typing import Any

from mtpeft.record_types import DataRecord

LIMITS = """\
- It read labels and other short messages of user interfaces, and few sentences. It is there to be fine-tuned by a study
  that two CPU cores can run: it translates badly or, pre-trained by denoising, not at all. It knows no direction but
  into English, and no other kind of text.
- Dev and test sentences of the default study are not in its text, exactly or nearly, in any language, and fine-tuning
  sentences not exactly; those of another text may be. Keep wheels, cleaning and split of the corpus as they are, or
  pre-train again with `make pretrain`.
- It was trained once with this seed. What holds for it holds for this checkpoint."""


def model_card(training: Mapping[str, Any], data: DataRecord, *, megabytes: float) -> str:
    """The text of README.md, from the records of the training and of the data."""
    settings, config, run = training["settings"], training["settings"]["config"], training["training"]
    noise = settings["noise"]
    return "\n".join(
        (
            f"# {training['model']}",
            "",
            f"An mBART model of {training['total_parameters']:,} parameters ({megabytes:.1f} MB as 16-bit floats), "
            f"pre-trained from nothing by {settings['objective']}.",
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
            f"| text | {_rows_read(settings['rows'], data):,} sentence pairs of {', '.join(sorted(data.pairs))} |",
            f"| training | {settings['updates']:,} updates of at most {settings['batch_tokens']} padded tokens, "
            f"{run['target_tokens']:,} target tokens, peak learning rate {settings['learning_rate']:g}, seed "
            f"{settings['seed']}, {run['seconds'] / 60:.0f} minutes of {settings['threads']} CPU core |",
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
            LIMITS,
            "",
            "Hashes of all texts, and what was taken out of them, are in `data.json`, the training's record in "
            "`training.json`; `../README.md` tells what else was tried.",
            "",
        )
    )


def _rows_read(most: int | None, data: DataRecord) -> int:
    """Sentence pairs that were read, of at most so many of each pair."""
    found = [pair["rows"]["pretrain"] for pair in data.pairs.values()]
    return sum(min(most or rows, rows) for rows in found)

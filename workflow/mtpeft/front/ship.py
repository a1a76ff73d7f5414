"""Put models that were pre-trained here into workflow/models/, with a model card, for the default study to use."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtpeft.config.held_out import held_out_params
from mtpeft.config.models import vocabulary_pairs
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import PROJECT, new_folder, read_record, sha256_of, write_record, write_text
from mtpeft.core.records import DataRecord, HeldOutRecord
from mtpeft.models.config_json import DATA_RECORD, TRAINING_RECORD
from mtpeft.steps.base_models import base_file
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.split_corpus import split_file

SHIPPED = PROJECT / "workflow" / "models"


def ship(configuration: Configuration) -> Iterator[str]:
    """Ship every model that the configuration pre-trains; yields a line about each.

    Raises:
        UserError: one has not been pre-trained yet.
    """
    for label in (label for label, model in configuration.models.items() if model.pretrain):
        record = Path(base_file(configuration, label))
        if not record.exists():
            raise UserError(f"The model '{label}' is not there yet; pre-train it with `make pretrain`.")
        pairs = vocabulary_pairs(configuration, label)
        corpora = sorted({configuration.pairs[pair].corpus for pair in pairs})
        data = data_record(
            {pair: Path(pair_folder(configuration, pair)) / "parts.json" for pair in pairs},
            {corpus: Path(split_file(configuration, corpus)) for corpus in corpora},
            held_out={corpus: held_out_params(configuration, corpus) for corpus in corpora},
        )
        ship_model(record, SHIPPED / label, data=data)
        yield f"The model '{label}' is in {SHIPPED / label}."


LARGEST_MB = 8
TAKEN = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def ship_model(record: Path, folder: Path, *, data: DataRecord) -> None:
    """Write weights as 16-bit floats, tokenizer, configuration, records of training and data, and the model card.

    Loading turns the weights into 32-bit floats again. Rounding changes each of them by less than a thousandth.
    """
    import torch
    from safetensors.torch import load_file, save_file

    base = read_record(record)
    checkpoint = Path(base["folder"])
    weights = load_file(checkpoint / "model.safetensors")
    halved = {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}
    kept = {name: value for name, value in base.items() if name not in ("folder", "sha256")}
    with new_folder(folder) as temporary:
        for name in TAKEN:
            shutil.copyfile(checkpoint / name, temporary / name)
        save_file(halved, temporary / "model.safetensors", {"format": "pt"})
        size = (temporary / "model.safetensors").stat().st_size / 1e6
        if size > LARGEST_MB:
            raise AssertionError(f"{folder.name} has {size:.1f} MB of weights; at most {LARGEST_MB} are shipped")
        write_record(temporary / TRAINING_RECORD, kept)
        write_record(temporary / DATA_RECORD, data.model_dump())
        write_text(temporary / "README.md", model_card(kept, data, megabytes=size))


def data_record(
    pairs: Mapping[str, Path], splits: Mapping[str, Path], *, held_out: Mapping[str, Mapping[str, Any]]
) -> DataRecord:
    """Describe the text that a model was trained on, and what was kept out of it.

    Args:
        pairs: the `parts.json` of each pair, with its texts beside it.
        splits: the `split.json` of each corpus.
        held_out: for each corpus what decides which sentences it has and which are held out (`held_out_params`).
    """
    parts = {label: read_record(path) for label, path in pairs.items()}
    return DataRecord(
        pairs={
            label: {
                "rows": record["rows"],
                "taken": record["taken"],
                "near_duplicate": record["params"]["near_duplicate"],
                "similarity_to_held_out": record["similarity_to_held_out"],
                "sha256": record["sha256"],
            }
            for label, record in parts.items()
        },
        corpora={
            label: HeldOutRecord(**held_out[label], split_sha256=sha256_of(path)) for label, path in splits.items()
        },
    )


LIMITS = """\
- It read labels and other short messages of user interfaces, and few sentences. It is there to be fine-tuned by a study
  that two CPU cores can run: it translates badly or, pre-trained by denoising, not at all. It knows no direction but
  into English, and no other kind of text.
- Dev and test sentences of the default study are not in its text, exactly or nearly, in any language, and fine-tuning
  sentences not exactly; those of another text may be. Keep wheels, cleaning and split of the corpus as they are, or
  pre-train again with `make pretrain`.
- It was trained once with this seed. What holds for it holds for this checkpoint."""


def model_card(training: Mapping[str, Any], data: DataRecord, *, megabytes: float) -> str:
    """The model card in Markdown, from the records of the training and of the data."""
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
            LIMITS,
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

"""What can be wrong between a model that comes with its data record and the text that a study tests it on."""

from collections.abc import Iterator

from mtpeft.config.resolve import found_path
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import split_settings
from mtpeft.models.describe import DATA_RECORD
from mtpeft.records import read_record


def contaminated_models(configuration: Configuration) -> Iterator[str]:
    """Models of the studies whose pre-training has kept other sentences out than those that would be tested on now."""
    blocks = [block for study in configuration.studies.values() for block in study.blocks]
    for label in sorted({model for block in blocks for model in block.models}):
        path = configuration.models[label].path
        record = found_path(path) / DATA_RECORD if path else None
        if record is None or not record.exists():
            continue
        kept_out = {corpus: entry["split"] for corpus, entry in read_record(record)["corpora"].items()}
        pairs = {pair for block in blocks if label in block.models for pair in block.pairs}
        for corpus in sorted({configuration.pairs[pair].corpus for pair in pairs} & set(kept_out)):
            if split_settings(configuration, corpus) != kept_out[corpus]:
                yield (
                    f"'models.{label}' may have seen test sentences: it was pre-trained for another split of "
                    f"'corpora.{corpus}'; leave 'corpora.{corpus}.split' as it comes, or pre-train it again with this "
                    "one, as workflow/studies/pretrain.yaml does."
                )

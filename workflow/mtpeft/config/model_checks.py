"""What can be wrong between a model that comes with its data record and the text that a study tests it on."""

from collections.abc import Iterator

from mtpeft.config.held_out import held_out_settings
from mtpeft.config.resolve import found_path
from mtpeft.config.schema import Configuration
from mtpeft.models.describe import DATA_RECORD
from mtpeft.records import read_record


def contaminated_models(configuration: Configuration) -> Iterator[str]:
    """Models of the studies whose pre-training may have kept other sentences out than those that are tested on now.

    Other wheels and other cleaning change which sentences there are to draw from as much as another split does. A data
    record that does not say what they were is refused as well: nobody can tell what its model has read.
    """
    blocks = [block for study in configuration.studies.values() for block in study.blocks]
    for label in sorted({model for block in blocks for model in block.models}):
        path = configuration.models[label].path
        record = found_path(path) / DATA_RECORD if path else None
        if record is None or not record.exists():
            continue
        kept_out = read_record(record)["corpora"]
        pairs = {pair for block in blocks if label in block.models for pair in block.pairs}
        for corpus in sorted({configuration.pairs[pair].corpus for pair in pairs} & set(kept_out)):
            now, then = held_out_settings(configuration, corpus), kept_out[corpus]
            differing = [f"'corpora.{corpus}.{key}'" for key in now if key in then and now[key] != then[key]]
            unknown = [f"'corpora.{corpus}.{key}'" for key in now if key not in then]
            if differing:
                yield (
                    f"'models.{label}' may have seen test sentences: it was pre-trained with another "
                    f"{' and another '.join(differing)}; keep the values that come with it, or pre-train it again with "
                    "these, as workflow/studies/pretrain.yaml does."
                )
            elif unknown:
                yield (
                    f"'models.{label}' may have seen test sentences: {record} does not say with which "
                    f"{' and '.join(unknown)} it was pre-trained; pre-train it again, as "
                    "workflow/studies/pretrain.yaml does."
                )

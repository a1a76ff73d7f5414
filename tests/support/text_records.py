"""Records of text that a test has written by hand."""

from pathlib import Path

from mtpeft.config.corpora import anchor_pairs
from mtpeft.config.schema import Configuration
from mtpeft.core.files import sha256_of, write_lines, write_record
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.split_corpus import split_file
from support.steps import params_of


def write_text_records(configuration: Configuration, pair: str) -> None:
    """Records by which the text of a pair is what the configuration stands for."""
    corpus = configuration.pairs[pair].corpus
    split, folder = Path(split_file(configuration, corpus)), Path(pair_folder(configuration, pair))
    for each in anchor_pairs(configuration, corpus):
        cleaned = Path(pair_folder(configuration, each)) / "clean.tsv"
        write_lines(cleaned, [each])
        params = params_of("clean_pair", configuration, each)
        write_record(cleaned.with_suffix(".json"), {"params": params, "inputs": {}, "sha256": sha256_of(cleaned)})
    write_record(split, {"params": params_of("split_corpus", configuration, corpus)})
    inputs = {"cleaned": sha256_of(folder / "clean.tsv"), "split": sha256_of(split), "others": []}
    divided = {"params": params_of("decontaminate_pair", configuration, pair), "inputs": inputs, "sha256": {}}
    write_record(folder / "parts.json", divided)

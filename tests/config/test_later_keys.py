"""A key that is added to a section with `later` changes no digest, so nothing that was made is made again."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from mtpeft.config import load as loading
from mtpeft.config.decoding import Decoding
from mtpeft.config.load import read_yaml
from mtpeft.config.rate_search import search_digest
from mtpeft.config.schema import configuration_type
from mtpeft.config.studies import rate_classes
from mtpeft.core.files import canonical
from mtpeft.core.options import TrainingOptions
from mtpeft.core.section import Section, later, plain
from mtpeft.steps.cells_of_studies import placed_cells
from support.config import DEFAULT, PRETRAINED
from support.later_key import KEY, sections_in, with_key
from support.steps import params_of

ROOT = Path(__file__).parents[2]
METHODS_STUDY = read_yaml(ROOT / "workflow" / "studies" / "methods.yaml")
SMALL_STUDY = read_yaml(ROOT / "tests" / "small_study.yaml")
CONFIGURATIONS = {
    "default": read_yaml(loading.DEFAULT_FILE),
    "tiny": DEFAULT,
    "pre-trained here": PRETRAINED,
    "methods": loading.merge(read_yaml(loading.DEFAULT_FILE), METHODS_STUDY),
    "small": loading.merge(read_yaml(loading.DEFAULT_FILE), SMALL_STUDY),
}


def digests(content: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """Folders of all cells, digests of all searches, and the params of the steps of cells and figures."""
    configuration = loading.validate(content)
    steps = ("train", "decode", "score")
    cells = {
        (cell.path,): [str(cell.folder), *(canonical(params_of(step, configuration, cell)) for step in steps)]
        for cell in placed_cells(configuration)
    }
    searches = {
        labels: search_digest(params_of("search_rate", configuration, *labels))
        for labels in rate_classes(configuration)
    }
    figures = {
        ("figure", study): canonical(params_of("draw_figure", configuration, study)) for study in configuration.studies
    }
    return cells | searches | figures | {("findings",): canonical(params_of("test_claims", configuration))}


@pytest.fixture
def add_key(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Add a key to the sections of every configuration that is loaded from now on."""

    def add(key: Callable[[], Any], only: type[Section] | None = None) -> None:
        kind = with_key(configuration_type(), key, only=only)
        monkeypatch.setattr(loading, "configuration_type", lambda: kind)

    return add


@pytest.mark.parametrize("content", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_later_key_in_every_section_changes_no_digest(
    content: Mapping[str, Any], add_key: Callable[..., None]
) -> None:
    before = digests(content)
    add_key(lambda: later(7))
    configuration = loading.validate(content)

    assert getattr(configuration.training, KEY) == 7
    assert all(getattr(options, KEY) == 7 for options in configuration.methods.values())
    assert digests(content) == before


def test_every_section_gets_the_key() -> None:
    with_it = with_key(configuration_type(), lambda: later(7))

    names = {section.__name__ for section in sections_in(with_it) if KEY in section.model_fields}
    assert names == {section.__name__ for section in sections_in(configuration_type())}
    assert len(names) > 50


@pytest.mark.parametrize("section", [TrainingOptions, Decoding])
def test_a_key_with_a_plain_default_would_change_digests(section: type[Section], add_key: Callable[..., None]) -> None:
    before = digests(CONFIGURATIONS["small"])
    add_key(lambda: Field(default=7), only=section)

    assert digests(CONFIGURATIONS["small"]) != before


def test_a_later_key_that_is_written_counts(add_key: Callable[..., None]) -> None:
    before = digests(CONFIGURATIONS["small"])
    add_key(lambda: later(7), only=TrainingOptions)

    assert digests(loading.merge(CONFIGURATIONS["small"], {"training": {KEY: 7}})) == before
    assert digests(loading.merge(CONFIGURATIONS["small"], {"training": {KEY: 8}})) != before


def test_params_without_the_key_are_parsed_with_its_default() -> None:
    kind = with_key(TrainingOptions, lambda: later(7))

    assert KEY not in plain(kind())
    assert getattr(kind.model_validate(plain(kind())), KEY) == 7
    assert plain(kind(**{KEY: 8}))[KEY] == 8

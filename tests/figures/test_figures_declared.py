"""Figures are found by a registry, those from outside of the package included, and say themselves what they are."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment

from mtpeft.cells import VERSION
from mtpeft.config.figures import FIGURES, OTHERS_TABLE, REPRESENTATIONS_TABLE, SERVING_TABLE, TEXT_TABLE, study_figures
from mtpeft.config.load import validate
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical
from mtpeft.figures.base import Figure
from mtpeft.figures.draw import draw_figure
from mtpeft.steps.draw_figure import captions
from support.config import DEFAULT
from support.figures import SPOKEN, cells_of, one_panel, svg, write_table
from support.steps import inputs_of, params_of
from support.sweep import ROOT

EXAMPLE = ROOT / "workflow" / "examples" / "score_by_time.py"
STUDY = {"figure": "score_by_time", "models": ["small"], "pairs": ["pt-en"], "sizes": ["n1600"], "methods": ["full"]}


@pytest.fixture
def forget_outside() -> Iterator[None]:
    yield
    FIGURES.forget_outside()


def configuration_of(**sections: Any) -> Configuration:
    return validate({**DEFAULT, "findings": {}, **sections})


def with_example() -> Configuration:
    return configuration_of(modules=[str(EXAMPLE)], studies={"times": {**STUDY, "seeds": [1]}})


def test_every_figure_is_a_file_of_the_package_with_its_name() -> None:
    files = {file.stem for file in (ROOT / "workflow" / "mtpeft" / "figures").glob("*.py")}
    assert files - {"__init__", "base", "draw"} == set(FIGURES)
    assert all(isinstance(figure, Figure) for figure in FIGURES.entries.values())
    assert set(FIGURES) - set(study_figures()) == {"efficiency"}


@pytest.mark.parametrize("name", [*FIGURES])
def test_every_figure_has_a_question_and_a_caption_that_names_the_metric(name: str) -> None:
    text = FIGURES[name].report_text("bleu")
    assert re.match(r"\*\*[A-Z][^*]*\?\*\* ", text)
    assert ("BLEU" in text) == (FIGURES[name].shows != "measurements")
    assert ("Intervals are those of single scores" in text) == (FIGURES[name].shows == "scores")
    assert "{" not in text


def test_the_report_shows_the_caption_of_each_study() -> None:
    template = (ROOT / "workflow" / "report" / "figure.rst").read_text(encoding="utf-8")
    render = Environment(trim_blocks=True, lstrip_blocks=True).from_string(template).render
    config = {"captions": captions(configuration_of())}
    questions = {"embeddings": "For a given parameter budget", "efficiency": "What does quality cost"}
    for study, question in questions.items():
        wildcards = {"study": study} if study != "efficiency" else {}
        assert f"**{question}" in render(snakemake=SimpleNamespace(config=config, wildcards=wildcards))


def test_params_and_tables_of_its_own_stand_with_the_figure() -> None:
    own = {name for name, figure in FIGURES.entries.items() if figure.params(configuration_of(), "budgets")}
    assert own == {"exposure", "gain_kept", "languages"}
    needs = {name: figure.needs for name, figure in FIGURES.entries.items() if figure.needs}
    assert needs == {
        "forgetting": (OTHERS_TABLE,),
        "gain_kept": (TEXT_TABLE,),
        "representations": (REPRESENTATIONS_TABLE,),
        "serving": (SERVING_TABLE,),
    }


@pytest.mark.usefixtures("forget_outside")
def test_a_figure_that_is_drawn_in_another_way_has_another_version() -> None:
    versions = {}
    for version in (1, 2):
        FIGURES.add(replace(FIGURES["budgets"], version=version))
        versions[version] = params_of("draw_figure", configuration_of(), "budgets")[VERSION]
    assert versions == {1: 1, 2: 2}


def test_names_of_figures_are_read_without_matplotlib() -> None:
    program = "import sys; from mtpeft.config.load import load; load(); print('matplotlib' in sys.modules)"
    environment = {"PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.usefixtures("forget_outside")
def test_a_figure_from_outside_is_drawn_by_the_command_that_its_params_name(tmp_path: Path) -> None:
    configuration = with_example()
    params = params_of("draw_figure", configuration, "times") | {"cells": cells_of(one_panel()), "languages": SPOKEN}
    assert inputs_of("draw_figure", configuration, "times")["tables"] == []
    assert "**How long must a method train" in captions(configuration)["times"]
    summary = write_table(tmp_path / "summary.csv", one_panel())

    command = [
        "draw_figure",
        "--params",
        canonical(params),
        "--summary",
        str(summary),
        "--stem",
        str(tmp_path / "times"),
    ]
    environment = {"PYTHONPATH": str(ROOT / "workflow")}
    subprocess.run([sys.executable, "-m", "mtpeft", *command], env=environment, check=True, capture_output=True)

    text = svg(tmp_path / "times")
    assert "training time (s)" in text
    assert f"{cells_of(one_panel())} cells, 2 seeds" in text


@pytest.mark.usefixtures("forget_outside")
def test_a_figure_from_outside_is_drawn_in_this_process(tmp_path: Path) -> None:
    params = {"figure": "score_by_time", "module": str(EXAMPLE), "cells": 0, "languages": {}}
    for name, rows in (("some", one_panel()), ("none", [])):
        draw_figure(params, summary=write_table(tmp_path / "summary.csv", rows), stem=tmp_path / name)
        assert ("There is nothing to show yet." in svg(tmp_path / name)) == (name == "none")


def test_a_figure_that_nobody_brought_in_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(
        UserError, match=r"'studies\.times\.figure' is 'score_by_time'; write 'budgets', 'data_sizes', "
    ):
        configuration_of(studies={"times": {**STUDY, "seeds": [1]}})

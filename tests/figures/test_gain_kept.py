"""The figure `gain_kept`: which share of full fine-tuning's gain a budget keeps, and where each language stands."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mtpeft.analysis.csv_files import Interval
from mtpeft.analysis.read_tables import read_distances
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.languages import DISTANCES
from mtpeft.figures.base import FigureData
from mtpeft.figures.draw import draw_figure
from mtpeft.figures.gain_kept import GAIN_KEPT, kept_share
from mtpeft.figures.plotting.panels import Drawing
from mtpeft.figures.plotting.style import figure_style, method_styles
from mtpeft.steps.cells_of_studies import figure_tables
from support.default import DEFAULT
from support.figures import SPOKEN, Row, cells_of, interval, study, systems_of, write_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BELOW_FULL = {"adapter": -2.0, "lora": -4.0}
UNKNOWN = {"es-en": 0.005, "tr-en": 0.16}
BY_UNKNOWN = "unknown source tokens, %"


def _rows() -> list[Row]:
    """One model and size: full fine-tuning gains 8 chrF, the adapter is 2 below it, LoRA 4 below."""
    chosen = [row for row in study() if row["model"] == "base" and row["size"] in ("large", "any")]
    return [
        row
        | (interval("minus_none", 8) if row["method"] == "full" else {})
        | (interval("minus_full", BELOW_FULL[str(row["method"])]) if row["method"] in BELOW_FULL else {})
        for row in chosen
        if row["method"] in ("full", "none", *BELOW_FULL)
    ]


def _text(folder: Path) -> Path:
    rows: list[Row] = [
        {"model": model, "pair": pair, "test_set": "test", "source_unknown": share * factor}
        for model, factor in (("base", 1), ("other", 3))
        for pair, share in UNKNOWN.items()
    ]
    return write_table(folder / "text.csv", rows, ("model", "pair", "test_set", "source_unknown"))


def _drawn(folder: Path, rows: list[Row], origins: list[str]) -> Drawing:
    systems = systems_of(folder, rows)
    data = FigureData(systems, languages=SPOKEN, params={"from": origins}, files={"text": _text(folder)})
    with figure_style():
        return GAIN_KEPT.draw(data, method_styles({own.method for own in systems}))


def _points(axes: "Axes") -> set[tuple[float, float]]:
    lines = (line for line in axes.lines if str(line.get_gid()).startswith("point-"))
    return {(float(line.get_xdata()[0]), round(float(line.get_ydata()[0]), 6)) for line in lines}


def _configuration(languages: dict[str, object]) -> Configuration:
    return validate(merge(DEFAULT, {"studies": {"languages": languages}}))


def test_the_share_of_the_gain_that_is_kept_has_the_interval_of_the_difference(tmp_path: Path) -> None:
    spanish = [own for own in systems_of(tmp_path, _rows()) if own.setting.pair == "es-en" and own.budget != "one"]
    systems = {own.method: own for own in spanish}
    kept = kept_share(systems["adapter"], systems["full"]).share
    assert kept is not None
    # 2 of 8 are lost; the difference reaches from -2.5 to -1.25.
    assert (kept.low, kept.mean, kept.high) == pytest.approx((68.75, 75, 84.375))
    unshown = replace(systems["full"], minus_none=Interval(low=-0.1, mean=1.0, high=2.0))
    assert kept_share(systems["adapter"], unshown).share is None
    assert kept_share(systems["adapter"], None).share is None


def test_each_language_stands_at_its_distance_from_each_origin_and_at_its_unknown_tokens(tmp_path: Path) -> None:
    drawing = _drawn(tmp_path, _rows(), ["pt", "en"])
    panels = {axes.get_xlabel(): axes for axes in drawing.figure.axes if axes.get_xlabel()}
    assert list(panels) == [
        *("syntactic distance from Portuguese", "genealogical distance from Portuguese"),
        *("syntactic distance from English", "genealogical distance from English", BY_UNKNOWN),
    ]
    portuguese = read_distances(DISTANCES, "pt")
    near, far = portuguese["es"].syntactic, portuguese["tr"].syntactic
    assert _points(panels["syntactic distance from Portuguese"]) == {(x, y) for x in (near, far) for y in (50.0, 75.0)}
    assert _points(panels[BY_UNKNOWN]) == {(x, y) for x in (0.5, 16.0) for y in (50.0, 75.0)}


def test_a_preview_is_drawn_before_unknown_tokens_are_counted(tmp_path: Path) -> None:
    systems = systems_of(tmp_path, _rows())
    data = FigureData(systems, languages=SPOKEN, params={"from": ["pt"]})
    with figure_style():
        drawing = GAIN_KEPT.draw(data, method_styles({own.method for own in systems}))
    panels = [axes.get_xlabel() for axes in drawing.figure.axes if axes.get_xlabel()]
    assert panels == ["syntactic distance from Portuguese", "genealogical distance from Portuguese"]
    assert drawing.notes == ["Unknown source tokens are not counted yet."]


def test_pairs_without_a_gain_are_named(tmp_path: Path) -> None:
    small = interval("minus_none", 0.1)
    rows = [row | small if (row["method"], row["pair"]) == ("full", "tr-en") else row for row in _rows()]
    assert _drawn(tmp_path, rows, ["en"]).notes == ["Full fine-tuning is not shown to gain: tr-en."]


def test_languages_at_the_same_distance_are_all_drawn(tmp_path: Path) -> None:
    """Hungarian and Turkish are of no family with English; both stand at 1."""
    rows = [row | {"pair": {"es-en": "hu-en"}.get(str(row["pair"]), row["pair"])} for row in _rows()]
    systems = systems_of(tmp_path, rows)
    languages = {"hu-en": "hu", "tr-en": "tr"}
    data = FigureData(systems, languages=languages, params={"from": ["en"]}, files={"text": _text(tmp_path)})
    with figure_style():
        drawing = GAIN_KEPT.draw(data, method_styles({own.method for own in systems}))
    panel = next(axes for axes in drawing.figure.axes if axes.get_xlabel() == "genealogical distance from English")
    assert _points(panel) == {(1.0, 50.0), (1.0, 75.0)}


def test_a_pair_without_a_distance_is_named(tmp_path: Path) -> None:
    systems = systems_of(tmp_path, _rows())
    data = FigureData(systems, languages={"es-en": "es"}, params={"from": ["en"]}, files={"text": _text(tmp_path)})
    with figure_style():
        assert GAIN_KEPT.draw(data, method_styles({own.method for own in systems})).notes == [
            "Without a distance: tr-en."
        ]


def test_it_is_drawn_from_the_table_of_all_studies(tmp_path: Path) -> None:
    configuration = _configuration({"figure": "gain_kept", "distance_from": ["pt"]})
    assert figure_tables(configuration, "languages") == ["results/config/text.csv"]
    assert GAIN_KEPT.params(configuration, "languages")["from"] == ["pt"]
    rows = _rows()
    params = {
        "version": 1,
        "figure": "gain_kept",
        "study": "languages",
        "cells": cells_of(rows),
        "stamp": "",
        "languages": SPOKEN,
        "from": ["pt"],
    }
    summary = write_table(tmp_path / "summary.csv", rows)
    draw_figure(params, summary=summary, tables=[_text(tmp_path)], stem=tmp_path / "kept")
    assert (tmp_path / "kept.pdf").stat().st_size > 5000


def test_a_language_without_distances_is_refused() -> None:
    said = "'studies.languages.distance_from' names 'eu', from which no distance is known; write one of 'ar', "
    with pytest.raises(UserError, match=said):
        _configuration({"distance_from": ["pt", "eu"]})

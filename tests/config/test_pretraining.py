"""A base model's exposure to a pair: stated by its entry, derived from its pre-training, or unknown."""

from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.load import merge, validate
from mtpeft.config.pretraining import exposure_of
from mtpeft.core.errors import UserError
from support.config import DEFAULT, PRETRAINED
from support.figures import draw, one_panel, svg
from support.findings import configuration_of
from support.steps import params_of

HUB = {"pairs": {"ga-en": {"corpus": "interface"}}, "models": {"big": {"hub": f"owner/big@{'0' * 40}"}}}
SEEN = {"models": {"big": {"seen": {"parallel": ["es-en"], "monolingual": ["en", "de", "ga"]}}}}
WIDE = {"models": {"wide": {"extend": {"model": "small", "languages": {"ga": {}}}}}}
HEAL = {"encoder": 1, "decoder": 1, "heal": {"pair": "es-en", "updates": 10, "learning_rate": 1.0e-3}}
SHALLOW = {"models": {"shallow": {"drop_layers": {"model": "big", **HEAL}}}}
CUT = {"models": {"cut": {"trim": {"model": "big", "pairs": ["de-en"], "entries": 1000}}}}
CASES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "shipped, translation": ({}, "small", "pt-en", "parallel"),
    "shipped, denoising": ({}, "denoiser", "pt-en", "monolingual"),
    "shipped, not in it": (HUB, "small", "ga-en", "unseen"),
    "extended": (merge(HUB, WIDE), "wide", "ga-en", "unseen"),
    "extended, seen before": (merge(HUB, WIDE), "wide", "pt-en", "parallel"),
    "hub": (HUB, "big", "es-en", "unknown"),
    "hub, told": (merge(HUB, SEEN), "big", "es-en", "parallel"),
    "hub, told by itself": (merge(HUB, SEEN), "big", "ga-en", "monolingual"),
    "hub, told nothing of it": (merge(HUB, SEEN), "big", "pt-en", "unseen"),
    "healed on it": (merge(HUB, SHALLOW), "shallow", "es-en", "parallel"),
    "healed on another": (merge(HUB, SHALLOW), "shallow", "pt-en", "unknown"),
    "healed on another, told": (merge(merge(HUB, SEEN), SHALLOW), "shallow", "ga-en", "monolingual"),
    "trimmed to it": (merge(HUB, CUT), "cut", "de-en", "unknown"),
    "trimmed, told": (merge(merge(HUB, SEEN), CUT), "cut", "es-en", "parallel"),
}


@pytest.mark.parametrize("case", CASES)
def test_exposure(case: str) -> None:
    changes, model, pair, expected = CASES[case]
    assert exposure_of(validate(merge(DEFAULT, changes)), model, pair) == expected


@pytest.mark.parametrize(("model", "expected"), [("small", "parallel"), ("denoiser", "monolingual")])
def test_a_model_that_is_pretrained_here_is_known_before_it_is_there(model: str, expected: str) -> None:
    assert exposure_of(validate(PRETRAINED), model, "pt-en") == expected


def test_a_pair_that_is_said_to_be_seen_must_be_there() -> None:
    with pytest.raises(UserError, match=r"'models\.big\.seen\.parallel' names 'xx-en'"):
        validate(merge(DEFAULT, merge(HUB, {"models": {"big": {"seen": {"parallel": ["xx-en"]}}}})))


def test_every_less_seen_pair_is_compared_with_every_one_seen_in_parallel() -> None:
    members = params_of("test_claims", configuration_of("seen"))["claims"]["seen"]["members"]
    others = ("unseen base, de-en", "monolingual heard, es-en", "unseen heard, de-en")
    assert {member["name"] for member in members} == {
        f"{what}: {other}, against base, es-en" for what in ("data", "budget") for other in others
    }
    assert [block[2:5] for block in members[0]["peft"]] == [
        [["many"], ["adapter"], ["large"]],
        [["few"], ["adapter"], ["large"]],
    ]


@pytest.mark.parametrize(
    ("lists", "lacks"),
    [
        ({"models": ["base"], "pairs": ["es-en"]}, "has no model with a pair less seen than that"),
        ({"models": ["heard"]}, "has no model with a pair seen in parallel"),
        (
            {"budgets": ["large"], "also": [{"pairs": ["es-en"], "budgets": ["tiny"]}]},
            "has no cells base/de-en/many/adapter/tiny",
        ),
    ],
)
def test_a_study_that_lacks_a_side_leaves_the_claim_untested(lists: dict[str, Any], lacks: str) -> None:
    configuration = configuration_of("seen", studies={"read": lists})
    claim = params_of("test_claims", configuration)["claims"]["seen"]
    assert lacks in "; ".join(claim["lacks"])
    assert claim["members"] == []


def test_panels_stand_in_the_order_of_exposure_and_say_it(tmp_path: Path) -> None:
    rows = [row | {"pair": pair} for pair in ("aa-en", "bb-en", "cc-en") for row in one_panel()]
    told = [["base", "aa-en", "unseen"], ["base", "bb-en", "parallel"], ["base", "cc-en", "monolingual"]]
    text = svg(draw(tmp_path, "exposure", rows, exposures=told))
    titles = ["bb\N{EN DASH}en: seen in parallel", "cc\N{EN DASH}en: each language", "aa\N{EN DASH}en: unseen"]
    assert [text.index(title) for title in titles] == sorted(text.index(title) for title in titles)


def test_the_figure_is_told_what_each_model_has_seen() -> None:
    params = params_of("draw_figure", configuration_of("seen"), "read")
    assert params["exposures"] == [
        ["base", "de-en", "unseen"],
        ["base", "es-en", "parallel"],
        ["heard", "de-en", "unseen"],
        ["heard", "es-en", "monolingual"],
    ]

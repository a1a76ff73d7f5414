"""Base models: noise, pre-training, and folders that a user brings."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.data.token_arrays import Ragged, TokenPairs, read_arrays
from mtpeft.models.families import read_shape
from mtpeft.models.load import load_base, parameters
from mtpeft.models.local import take_in_folder
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.training.pretrain import Noise, NoisyText, distinct_sides, infill, join_rows, mask_tokens, stretch
from support.model import files_of, pretrain_base, pretrain_params

SPECIAL_TOKENS = SpecialTokens(pad=1, end=2, begin=(2,), max_length=128)
MASK = 99


def test_infilling_takes_about_a_third_of_the_tokens() -> None:
    text, rng = np.arange(100, 140), np.random.default_rng(1)
    noised = [infill(text, MASK, rng) for _ in range(200)]
    kept = np.mean([(row != MASK).sum() / len(text) for row in noised])
    masks = np.mean([(row == MASK).sum() for row in noised])
    assert 0.63 < kept < 0.70
    assert 3 < masks < 7


def test_infilling_keeps_the_order_of_what_it_leaves() -> None:
    text = np.arange(100, 140)
    noised = infill(text, MASK, np.random.default_rng(3))
    left = noised[noised != MASK].tolist()
    assert left == sorted(left)
    assert set(left) < set(text.tolist())


def test_infilling_follows_from_its_seed() -> None:
    text = np.arange(100, 140)
    first, again, other = (infill(text, MASK, np.random.default_rng(seed)).tolist() for seed in (5, 5, 6))
    assert first == again != other


@pytest.mark.parametrize("length", range(4))
def test_short_sequences_survive_infilling(length: int) -> None:
    for seed in range(100):
        noised = infill(np.arange(length), MASK, np.random.default_rng(seed))
        assert (noised != MASK).sum() >= length - 1
        assert len(noised) <= length + 1


def test_masked_tokens_are_about_the_share_and_never_the_ends() -> None:
    text, rng = torch.arange(100, 300), np.random.default_rng(1)
    masked = [mask_tokens(text, 0.1, MASK, rng) for _ in range(50)]
    assert 0.08 < np.mean([(row == MASK).float().mean().item() for row in masked]) < 0.12
    assert all(row[0] == 100 and row[-1] == 299 for row in masked)


def test_rows_are_joined_within_their_languages_up_to_the_longest() -> None:
    def row(*source: int, target: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([*source, 2]), torch.tensor([target, 50 + source[1], 2])

    spanish, more_spanish, turkish = row(7, 21), row(7, 22, 23), row(8, 24)
    joined = join_rows([spanish, turkish, more_spanish], max_length=6)
    assert [source.tolist() for source, _ in joined] == [[7, 21, 22, 23, 2], [8, 24, 2]]
    assert [target.tolist() for _, target in joined] == [[9, 71, 72, 2], [9, 74, 2]]
    apart = join_rows([spanish, turkish, more_spanish], max_length=4)
    assert sorted(len(source) for source, _ in apart) == [3, 3, 4]


@pytest.mark.parametrize(("update", "is_changed"), [(9, False), (10, True)])
def test_noise_begins_at_its_update_and_never_changes_labels(update: int, is_changed: bool) -> None:
    rows = [(torch.tensor([7, *range(100, 130), 2]), torch.tensor([9, *range(200, 230), 2])) for _ in range(4)]
    noise = Noise(infilling=False, joined=0.0, masked_source=0.3, masked_target=0.3, begin=10)
    text = NoisyText(rows, noise, MASK, special_tokens=SPECIAL_TOKENS, seed=1)
    inputs = text.inputs(range(4), update)
    for name in ("input_ids", "decoder_input_ids"):
        assert (inputs[name] == MASK).any().item() is is_changed
        assert not (inputs[name][:, :1] == MASK).any()
    assert (inputs["labels"] == torch.stack([target for _, target in rows])).all()
    assert (inputs["decoder_input_ids"][:, 1] == 9).all()
    again = text.inputs(range(4), update)
    assert all((inputs[name] == again[name]).all() for name in inputs)


@pytest.mark.parametrize(
    ("count", "begin", "wanted"),
    [(None, 0.0, [0, 1, 2, 3]), (2, 0.0, [0, 1]), (2, 0.5, [2, 3]), (3, 0.5, [2, 3, 0]), (9, 0.25, [1, 2, 3, 0])],
)
def test_a_pair_reads_a_stretch_of_its_rows(count: int | None, begin: float, wanted: list[int]) -> None:
    rows = [torch.tensor([7, 100 + row, 2]) for row in range(4)]
    side = Ragged(torch.cat(rows), np.arange(0, 13, 3), special_token_count=2)
    found = stretch(TokenPairs(side, side), count, begin)
    assert [int(source[1]) - 100 for source, _ in found] == wanted


def test_denoising_reads_every_sentence_of_either_side_once() -> None:
    one, two = torch.tensor([7, 100, 2]), torch.tensor([8, 100, 2])
    assert [source.tolist() for source, _ in distinct_sides([(one, two), (one, two)])] == [[7, 100, 2], [8, 100, 2]]


@pytest.fixture(scope="module")
def denoiser(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of a base model pre-trained by denoising."""
    record = tmp_path_factory.mktemp("denoiser") / "base.json"
    pretrain_base(sweep, record, pretrain_params("denoising"))
    return record


def test_denoising_learns_and_ends_as_a_folder_that_transformers_opens(denoiser: Path) -> None:
    record = read_record(denoiser)
    scores = [entry["score"] for entry in record["training"]["dev_history"]]
    assert scores[-1] > scores[0]
    model = load_base(denoiser.parent / "checkpoint")
    assert parameters(model)[0] == record["total_parameters"]
    assert not (denoiser.parent / "state").exists()


def test_denoising_masks_tokens_but_not_the_language_nor_the_end(sweep: Path) -> None:
    pairs = read_arrays(sweep / "data/tokens/tiny/es-en/train.safetensors")
    rows = [(pairs.source[row], pairs.source[row]) for row in range(len(pairs.source))]
    noise = Noise(infilling=True, joined=0.0, masked_source=0.0, masked_target=0.0, begin=0)
    text = NoisyText(rows, noise, MASK, special_tokens=SPECIAL_TOKENS, seed=1)
    first, again, later = (text.inputs([3, 4, 5], update) for update in (0, 0, 1))
    for row, index in enumerate((3, 4, 5)):
        seen = first["input_ids"][row][first["attention_mask"][row].bool()].tolist()
        assert (seen[0], seen[-1]) == (rows[index][0][0], 2)
        assert MASK in seen[1:-1]
        assert first["labels"][row][first["labels"][row] >= 0].tolist() == rows[index][0].tolist()
    assert first["input_ids"].equal(again["input_ids"])
    assert not (first["input_ids"].shape == later["input_ids"].shape and first["input_ids"].equal(later["input_ids"]))


def test_pre_training_repeats_itself_byte_for_byte(sweep: Path, denoiser: Path, tmp_path: Path) -> None:
    pretrain_base(sweep, tmp_path / "base.json", pretrain_params("denoising"))
    assert files_of(tmp_path / "checkpoint") == files_of(denoiser.parent / "checkpoint")


@pytest.mark.parametrize("objective", ["translation", "denoising"])
def test_diverged_pre_training_leaves_no_base_model(sweep: Path, tmp_path: Path, objective: str) -> None:
    for rate in (1e4, 1e30):
        record = tmp_path / "hot/base.json"
        with pytest.raises(UserError, match=r"diverged at update .*models\.hot\.pretrain\.learning_rate"):
            pretrain_base(sweep, record, pretrain_params(objective, learning_rate=rate))
        assert not record.exists()


def test_closed_form_total_is_that_of_the_built_model(sweep: Path) -> None:
    folder = sweep / "results/models/tiny/checkpoint"
    shape = read_shape(read_record(folder / "config.json"))
    model = load_base(folder)
    assert shape.total == parameters(model)[0]
    modules = dict(model.named_modules())
    for linear in shape.linears:
        built = modules[linear.module]
        assert (built.in_features, built.out_features) == (linear.inputs, linear.outputs)
    assert set(shape.layers) <= set(modules)


@pytest.fixture
def local(sweep: Path, tmp_path: Path) -> Path:
    """A copy of a model's folder."""
    return Path(shutil.copytree(sweep / "results/models/tiny/checkpoint", tmp_path / "mine"))


def _describe(folder: Path) -> Path:
    record = folder.parent / "results/models/own/base.json"
    take_in_folder({"step_version": 1, "path": str(folder)}, record=record)
    return record


def test_a_local_folder_is_taken_in_with_its_hashes(sweep: Path, local: Path) -> None:
    record = read_record(_describe(local))
    made_here = read_record(sweep / "results/models/tiny/base.json")
    assert (record["model"], record["folder"]) == ("own", str(local))
    assert record["total_parameters"] == made_here["total_parameters"]
    assert record["sha256"]["model.safetensors"] == made_here["sha256"]["model.safetensors"]


def _set(**keys: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | keys))

    return change


def _drop(key: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "config.json"
        config = json.loads(file.read_text())
        del config[key]
        file.write_text(json.dumps(config))

    return change


WRONG_FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, r"'models.own.path' is '.*mine', but there is no such folder"),
    "no config": (lambda folder: (folder / "config.json").unlink(), r"'models.own.path' .* has no config.json"),
    "broken config": (
        lambda folder: (folder / "config.json").write_text('{"model_type":\n'),
        r"config.json, line 2 is not valid JSON",
    ),
    "other architecture": (
        _set(model_type="bert"),
        r"model_type 'bert', which is not supported; use .* mbart.* or t5",
    ),
    "another family": (_set(model_type="t5"), r"no key 'num_heads'; is it a complete T5 model"),
    "untied": (_set(tie_word_embeddings=False), r"tie_word_embeddings false; use a model that shares its embeddings"),
    "missing key": (_drop("encoder_ffn_dim"), r"has no key 'encoder_ffn_dim'"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), r"'models.own.path' .* no \*.safetensors"),
    "no tokenizer": (
        lambda folder: [file.unlink() for file in folder.glob("tokenizer*")],
        r"'models.own.path' .* has no tokenizer",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_FOLDERS.values(), ids=WRONG_FOLDERS)
def test_a_wrong_folder_is_refused_with_a_sentence(local: Path, change: Callable, sentence: str) -> None:
    change(local)
    with pytest.raises(UserError, match=sentence):
        _describe(local)

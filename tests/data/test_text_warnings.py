"""Warnings of the text are printed once while a sweep runs, and again at its end."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mtpeft.config.schema import Configuration
from mtpeft.data.token_arrays import Encoded, write_arrays
from mtpeft.front.previews import Previews, text_warnings
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.steps.search_rate import training_files
from support.front import configured
from support.steps import inputs_of

TOKENS = [[5, 6, 7, 2]] * 50


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)
    return configured(tmp_path)


def _files(configuration: Configuration) -> dict[str, Path]:
    """Token arrays of a training set, of its dev set and of a test set."""
    trained = next(
        inputs for cell in placed_cells(configuration) if "train" in (inputs := _inputs(configuration, cell))
    )
    (train,), (dev,) = trained["train"], trained["dev"]
    return {
        "train": Path(train),
        "dev": Path(dev),
        "test": Path(inputs_of("describe_text", configuration)["arrays"][0]),
    }


_inputs = training_files


@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_losses_of_every_part_are_told_once_as_they_become_known(
    configuration: Configuration, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    previews = Previews(configuration, [])
    previews.warn()
    assert capsys.readouterr().err == ""
    file = _files(configuration)[part]
    write_arrays(file, source=Encoded(TOKENS, 1, truncated=1, unknown=1), target=Encoded(TOKENS, 1, unknown=5))
    previews.warn()
    previews.warn()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"mtpeft: warning: {file}: 1 of 50 source sentences (2.0%) are longer")
    assert said[1].startswith(f"mtpeft: warning: {file}: 5 of 150 target tokens (3.3%) are unknown")
    assert len(text_warnings(configuration)) == 2
    assert previews.last_warnings() == []
    assert Previews(configuration, []).last_warnings() == said


def test_two_warnings_of_a_kind_are_enough(configuration: Configuration, capsys: pytest.CaptureFixture[str]) -> None:
    for file in _files(configuration).values():
        write_arrays(file, source=Encoded(TOKENS, 1, unknown=5), target=Encoded(TOKENS, 1))
    previews = Previews(configuration, [])
    previews.warn()
    assert capsys.readouterr().err.count("source tokens (") == 2
    (line,) = previews.last_warnings()
    assert line.startswith("mtpeft: 1 more warnings say the same of other text;")


def test_arrays_that_are_half_written_or_count_nothing_say_nothing(configuration: Configuration) -> None:
    file = _files(configuration)["train"]
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\x10\x00\x00")
    assert text_warnings(configuration) == []
    save_file({"source": np.array([1, 2], dtype=np.int32)}, file)
    assert text_warnings(configuration) == []

"""Methods from outside of the package: the example, from its entry in the configuration to a model that is opened."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cells import Cell
from mtpeft.config.load import merge, validate
from mtpeft.core import registry
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.methods import bring_in_for
from support.config import DEFAULT
from support.model import train_params
from support.steps import params_of
from support.sweep import planned
from support.training import ENVIRONMENT, ROOT, trainer

EXAMPLE = ROOT / "workflow/examples/block_gates.py"
STUDY = {"models": ["small"], "pairs": ["pt-en"], "sizes": ["n100"], "methods": ["gates"], "seeds": [1]}


def overlay(module: str, method: str = "block_gates") -> dict[str, Any]:
    return merge(
        DEFAULT,
        {
            "modules": [module],
            "methods": {"gates": {"method": method, "learning_rate": 0.01}},
            "studies": {"budgets": {**STUDY, "also": [], "budgets": []}},
            "findings": dict.fromkeys(DEFAULT["findings"]),
        },
    )


def test_params_of_the_example_have_the_path_of_its_file() -> None:
    configuration = validate(overlay("workflow/examples/block_gates.py"))
    params = params_of("train", configuration, Cell("small", "pt-en", "n100", "gates", "native", "1"))
    assert params["method"]["method"] == "block_gates"
    assert Path(params["method"]["module"]).resolve() == EXAMPLE


@pytest.mark.sweep
def test_a_study_of_the_example_is_planned(tmp_path: Path) -> None:
    methods = {"gates": {"method": "block_gates", "learning_rate": 0.01}}
    study = {"models": ["small"], "pairs": ["es-en"], "sizes": ["n200"], "methods": ["gates"], "seeds": [1]}
    own = {"modules": [str(EXAMPLE)], "methods": methods, "studies": {"mine": {**study, "figure": "budgets"}}}
    assert planned(tmp_path, "study_mine", overlay=own)["train"] == 1


def test_the_example_is_trained_and_opened_by_other_processes(sweep: Path, tmp_path: Path) -> None:
    params = train_params("full", learning_rate=0.1) | {
        "method": {"method": "block_gates", "module": str(EXAMPLE)},
        "budget": None,
    }
    command = trainer(sweep, tmp_path / "train.json", params)
    subprocess.run([sys.executable, "-m", "mtpeft", *command], env=ENVIRONMENT, check=True, capture_output=True)
    record = read_record(tmp_path / "train.json")
    assert (record["status"], record["trained_parameters"]) == ("ok", 5)
    stored = json.loads((tmp_path / "tuned/adapter_config.json").read_text(encoding="utf-8"))
    assert stored["peft_type"] == "BLOCK_GATES"
    program = f"import mtpeft; print(mtpeft.load({str(tmp_path)!r})(['La puerta'])[0])"
    said = subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, check=True, capture_output=True, text=True)
    assert said.stdout.strip()


OF_NO_USE = [
    (None, "which is no Python file; write its path from where you are."),
    ("", "which holds nothing to add ("),
    ("import nothing_of_this_name", "which can't be imported (No module named 'nothing_of_this_name')."),
    ("import sys; sys.exit('bye')", "which ends the process when it is imported; let it define things alone."),
    ("raise AssertionError", "which can't be imported (AssertionError)."),
    ("raise ValueError('one\\ntwo')", "which can't be imported (one)."),
    ("x = = 1", "which can't be imported (invalid syntax (of_no_use_6.py, line 1))."),
]


@pytest.mark.parametrize("case", range(len(OF_NO_USE)))
def test_a_module_that_is_of_no_use_is_refused(tmp_path: Path, case: int) -> None:
    content, sentence = OF_NO_USE[case]
    file = tmp_path / f"of_no_use_{case}.py"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as refused:
        validate(overlay(str(file)))
    assert str(refused.value).startswith(f"'modules' names '{file}', {sentence}")


def test_a_module_that_prints_or_never_ends_says_so_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "without_end.py"
    file.write_text("print('loading')\nwhile True:\n    pass\n", encoding="utf-8")
    monkeypatch.setattr(registry, "MOST_SECONDS", 0.2)

    with pytest.raises(UserError, match=r"which takes more than 0\.2 seconds to import; let it define things alone"):
        validate(overlay(str(file)))

    assert capsys.readouterr() == ("", "loading\n")


def test_one_file_under_two_names_is_one_file() -> None:
    twice = ["workflow/examples/block_gates.py", "./workflow/examples/../examples/block_gates.py"]
    configuration = validate(overlay(twice[0]) | {"modules": twice})
    assert configuration.methods["gates"].method == "block_gates"


def test_code_that_came_with_a_cell_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "cell/came_with_it.py"
    file.parent.mkdir()
    file.write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(UserError, match="names code in its own folder"):
        bring_in_for({"method": "came_with_it", "module": str(file)}, cell=file.parent)


def test_a_method_of_no_module_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"'methods\.gates\.method' is 'block_gate', which is no method; did you mean"):
        validate(overlay("workflow/examples/block_gates.py", method="block_gate"))

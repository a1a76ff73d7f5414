"""Environments beside the workflow: what they share with it, and how their programs end."""

import zipfile
from pathlib import Path

import pytest

from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.core.files import sha256_of
from mtpeft.isolated.install import install_packages, libraries_of, link_packages, shared_packages
from mtpeft.isolated.run import PACKAGES, Program


def test_packages_of_the_same_version_as_the_workflows_are_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a build of torch for GPUs is, with libraries under names that no pin has."""
    site = tmp_path / "site"
    for name, version, needed, modules in (
        ("torchlike", "2.13.0+cu130", ["cudalike[blas]==13; platform_system == 'Linux'", "numpylike"], ["torchlike"]),
        ("cudalike", "13.0", ["blas-like; extra == 'blas'", "absent"], []),
        ("blas_like", "13.1", [], ["nvidia/blas"]),
        ("numpylike", "2.0", [], ["numpylike"]),
    ):
        made = [f"{module}/__init__.py" for module in modules]
        about = f"{name}-{version}.dist-info"
        for file in (*made, f"{about}/RECORD", f"{about}/METADATA"):
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).write_text("", encoding="utf-8")
        requires = "".join(f"Requires-Dist: {line}\n" for line in needed)
        (site / about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")
        (site / about / "RECORD").write_text(
            "".join(f"{file},,\n" for file in (*made, f"{about}/METADATA", "../../bin/x"))
        )
    monkeypatch.syspath_prepend(str(site))
    pins = ["torchlike==2.13.0", "numpylike==1.26.4", "notthere==1"]

    shared = shared_packages(pins)
    libraries = libraries_of("torchlike", [pin.split("==")[0] for pin in pins])

    assert shared == ["torchlike"]
    assert libraries == ["cudalike", "blas-like"]
    (tmp_path / PACKAGES).mkdir()
    link_packages([*shared, *libraries], tmp_path)
    links = {link.name: link.resolve() for link in (tmp_path / PACKAGES).iterdir()}
    assert links == {
        name: site / name
        for name in (
            "torchlike",
            "torchlike-2.13.0+cu130.dist-info",
            "cudalike-13.0.dist-info",
            "nvidia",
            "blas_like-13.1.dist-info",
        )
    }


def test_a_file_that_is_another_than_the_pins_say_is_not_installed(tmp_path: Path, own_wheel: str) -> None:
    with pytest.raises(UserError, match=r"THESE PACKAGES DO NOT MATCH THE HASHES"):
        install_packages("a test", ["own==1.0"], tmp_path, hashes={"own==1.0": ["sha256:" + "0" * 64]})
    assert list((tmp_path / PACKAGES).iterdir()) == []
    (tmp_path / PACKAGES).rmdir()
    install_packages("a test", ["own==1.0"], tmp_path, hashes={"own==1.0": ["sha256:" + "0" * 64, own_wheel]})
    assert (tmp_path / PACKAGES / "own.py").is_file()


@pytest.fixture
def own_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A wheel that pip finds without a network; returns its hash."""
    wheel = tmp_path / "wheels/own-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    about = "own-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("own.py", "")
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "own.py,,\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return f"sha256:{sha256_of(wheel)}"


# What a program does, and what its caller is told.
ENDS: dict[str, tuple[str, type[Exception], str]] = {
    "an error": (
        "raise OSError('no room')",
        UserError,
        r"Thing does not work in \S+ \(OSError: no room\): delete that folder",
    ),
    "a silent end": ("sys.exit(3)", UserError, r"\(exit code 3\): delete that folder and run again"),
    "a kill": ("os.kill(os.getpid(), 9)", TryAgainError, "Thing was killed by signal 9: run again"),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_program_that_fails_is_a_sentence_and_one_that_is_killed_is_tried_again(case: str, tmp_path: Path) -> None:
    does, kind, said = ENDS[case]
    (tmp_path / "program.py").write_text(f"import os, sys\n{does}\n", encoding="utf-8")
    with pytest.raises(kind, match=said):
        Program("Thing", tmp_path / "program.py", tmp_path).answer("go", {}, folder=tmp_path)


def test_a_program_sees_its_own_packages_and_variables_alone(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import importlib.util, json, os, sys\n"
        "answer = {'given': json.load(sys.stdin), 'arguments': sys.argv[1:], 'thing': os.environ['THING'],\n"
        "          'sees': [name for name in ('numpy', 'mtpeft') if importlib.util.find_spec(name)]}\n"
        "print(json.dumps(answer))\n",
        encoding="utf-8",
    )
    program = Program("Thing", tmp_path / "program.py", tmp_path, {"THING": "own"})

    assert program.answer("go", {"text": "ü"}, folder=tmp_path) == {
        "given": {"text": "ü"},
        "arguments": [str(tmp_path / PACKAGES), "go"],
        "thing": "own",
        "sees": [],
    }

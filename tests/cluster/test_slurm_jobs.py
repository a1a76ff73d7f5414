"""The answers of squeue and scontrol, as they are read."""

from pathlib import Path

import pytest

from mtpeft.cluster.slurm import parse_jobs
from mtpeft.core.compat import targets_of_script
from mtpeft.front.recovery import labelled_targets

RUN = "4bfaf986-0861-42ed-8b1c-7eb127d9f159"
LINE = "7|RUNNING|3:47|2026-11-26T10:51:41|{name}|{comment}|{folder}\n"


@pytest.mark.parametrize(
    ("name", "comment", "place", "ours"),
    [
        (RUN, "rule_cells_train", "work", True),
        (f"mtpeft_{RUN}", "rule_pretrain_wildcards_small", "work", True),
        (RUN, "rule_cells_train", "elsewhere", False),
        ("train.sh", "rule_cells_train", "work", False),
        (RUN, "(null)", "work", False),
        ("train.sh", "a | b", "work", False),
    ],
)
def test_jobs_of_snakemake_in_this_folder_are_ours(
    tmp_path: Path, name: str, comment: str, place: str, ours: bool
) -> None:
    line = LINE.format(name=name, comment=comment, folder=tmp_path / place)
    assert [job.id for job in parse_jobs(line, tmp_path / "work")] == ["7"] * ours


def test_a_folder_may_have_a_separator_in_its_name_or_be_reached_by_another(tmp_path: Path) -> None:
    folder, link = tmp_path / "a|b", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    line = "a comment\nwith a line feed\n" + LINE.format(name=RUN, comment="rule_tune", folder=folder)
    (job,) = parse_jobs(line, link)
    assert (job.state, job.time_left, job.comment, job.runs) == ("RUNNING", "3:47", "rule_tune", True)


CELL = {"model": "small", "pair": "es-en+de-en", "size": "n200", "method": "lora", "budget": "b5", "seed": "1"}
WILDCARDS = ",".join(f"{name}={value}" for name, value in reversed(CELL.items()))
SCRIPTS = {
    "one rule": (f"'train:{WILDCARDS}'", [("train", CELL)], ["small/es-en+de-en/n200/lora/b5/1"]),
    "a group": (
        f"'decode_other:{WILDCARDS},other=es-en' 'score_other:{WILDCARDS},other=es-en'",
        [("decode_other", CELL | {"other": "es-en"}), ("score_other", CELL | {"other": "es-en"})],
        ["small/es-en+de-en/n200/lora/b5/1/es-en"] * 2,
    ),
    "no wildcards": ("'choose:'", [("choose", {})], [""]),
}


@pytest.mark.parametrize("case", SCRIPTS)
def test_a_script_tells_rules_and_cells(case: str) -> None:
    targets, expected, cells = SCRIPTS[case]
    script = f"#!/bin/sh\n# What's in here?\n\ncd /work && python -m snakemake --target-jobs {targets} --cores all\n"
    assert targets_of_script(script) == expected
    assert [labels for _, labels in labelled_targets(expected)] == cells


def test_a_script_without_targets_makes_nothing_that_is_known() -> None:
    assert targets_of_script("#!/bin/sh\nsleep 1\n") == []

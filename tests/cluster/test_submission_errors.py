"""Submissions that SLURM refuses: the reason reaches the user as the last sentence that is printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtpeft.cluster.slurm import is_mistake, submission_errors
from mtpeft.front.snakemake import recorded_events

CALL = "    sbatch call:\n        sbatch --parsable --job-name 04936a00 -p nosuch --wrap=\"python -m snakemake 'a'\"\n"
JOB = """\
SLURM sbatch failed. The error message was '{said}'.
{call}For further error details see the cluster/cloud log and the log files of the involved rule(s).
"""
ARRAY = "SLURM sbatch failed for array job submission (tasks 1-3). The error message was '{said}'.\n{call}"
LATER = (
    "Job submission failed with exception: SLURM job submission failed. The error message was {said}\n"
    "For further error details see the cluster/cloud log and the log files of the involved rule(s)."
)
SAID = {
    "sbatch: error: invalid partition specified: nosuch\n"
    "sbatch: error: Batch job submission failed: Invalid partition name specified": (
        "invalid partition specified: nosuch; Batch job submission failed: Invalid partition name specified",
        True,
    ),
    "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified": (
        "Batch job submission failed: Invalid account or account/partition combination specified",
        True,
    ),
    "sbatch: error: Batch job submission failed: Requested node configuration is not available": (
        "Batch job submission failed: Requested node configuration is not available",
        True,
    ),
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation": (
        "Batch job submission failed: Socket timed out on send/recv operation",
        False,
    ),
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("form", [JOB, ARRAY, LATER], ids=["job", "array", "later"])
def test_a_message_of_sbatch_becomes_one_line(form: str, said: str) -> None:
    (found,) = submission_errors([form.format(said=said, call=CALL)] * 2)
    expected, wrong = SAID[said]
    assert found.startswith(f"SLURM refuses jobs: {expected}. Mend what the profile asks for")
    assert is_mistake([found]) == wrong


def test_other_errors_are_no_submissions() -> None:
    assert submission_errors(["Error in rule train, jobid: 2", "SLURM job 5 failed"]) == []


SNAKEFILE = """
rule all:
    input: "a.txt", "b.txt"
rule one:
    output: "{name}.txt"
    resources: slurm_partition="nosuch", slurm_account="me", runtime=5, mem_mb=100
    shell: "touch {output}"
"""
SBATCH = """#!/bin/sh
cat > /dev/null
echo "sbatch: error: invalid partition specified: nosuch" >&2
echo "sbatch: error: Batch job submission failed: Invalid partition name specified" >&2
exit 1
"""


@pytest.mark.slow
def test_the_executor_of_snakemake_says_what_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake with its executor for SLURM, on a machine whose sbatch refuses everything."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sbatch", "sacct", "squeue", "sacctmgr", "scontrol", "sinfo", "sshare", "scancel"):
        (programs / name).write_text(SBATCH if name == "sbatch" else "#!/bin/sh\necho me\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    (tmp_path / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--executor", "slurm", "--jobs", "2", "--workflow-profile", "none"]
    monkeypatch.chdir(tmp_path)
    variables = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    with recorded_events() as events:
        done = subprocess.run(
            [*command, *events.options],
            check=False,
            capture_output=True,
            timeout=600,
            env=variables | events.variables,
        )
        assert done.returncode == 1
        (sentence,) = submission_errors(events.errors())
    assert sentence.startswith("SLURM refuses jobs: invalid partition specified: nosuch; Batch job submission failed:")
    assert "slurm_partition" in sentence

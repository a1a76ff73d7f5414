"""Claims from outside of the package: the example, from its finding in the configuration to a verdict on the page."""

from pathlib import Path

import pytest

from mtpeft.analysis.findings.assess import write_findings
from mtpeft.analysis.findings.records import FindingsRecord
from mtpeft.config.findings import CLAIMS
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from support.findings import build, configuration_of, write_similarities
from support.findings_cases import by_method
from support.steps import params_of
from support.sweep import ROOT

EXAMPLE = str(ROOT / "workflow/examples/beats_by_margin.py")
FINDING = {"claim": "beats_by_margin", "study": "shares", "method": "adapter", "budget": "large"}


@pytest.mark.parametrize(("adapter", "verdict"), [(54.0, "supported"), (50.5, "refuted")])
def test_the_example_is_decided_by_its_own_rule(
    adapter: float, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = configuration_of("clear", modules=[EXAMPLE], findings={"clear": FINDING})
    cells = build(configuration, by_method(adapter=adapter, none=30.0))
    params = params_of("test_claims", configuration)
    CLAIMS.forget_outside()  # the step is a process of its own

    write_findings(params, similarities=write_similarities(cells), record=Path("a.json"), page=Path("a.md"))

    record = FindingsRecord.model_validate(read_record(Path("a.json"))).findings["clear"]

    assert record.verdict == verdict
    assert record.rule.startswith("Supported if the effect is shown to be above 1 chrF")
    assert record.statement.startswith("`adapter` at `large` beats full fine-tuning by more than the margin.")
    page = Path("a.md").read_text(encoding="utf-8")
    assert record.rule in page


def test_a_claim_that_nobody_brought_in_is_refused() -> None:
    with pytest.raises(UserError, match=r"'findings\.clear\.claim' is 'beats_by_margin', which is no claim"):
        configuration_of("clear", findings={"clear": FINDING})

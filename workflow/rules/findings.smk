"""Findings: the claims of the configuration, tested on the cells of its studies.

Needs: the records of the cells that the claims compare, similarity/ of their pairs; comet.json where it is asked for.
Makes: findings.json and findings.md in results/<study file>/.
"""


rule findings:
    """Every claim supported, refuted or undecided, by rules that were written before."""
    input:
        finding_paths.finding_records(CONFIGURATION),
        comet_settings.claim_comet_records(CONFIGURATION),
        similarities=finding_paths.finding_similarities(CONFIGURATION),
    output:
        page=report(
            f"{RESULTS}/findings.md",
            caption="../report/findings.rst",
            category="Findings",
            labels={"table": "findings"},
        ),
        record=f"{RESULTS}/findings.json",
    log:
        f"logs/{STUDY_FILE}/findings.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/findings.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=canonical(settings.findings_settings(CONFIGURATION)),
    shell:
        "exec python -m mtpeft findings --settings {params.settings:q} --similarities {input.similarities:q} "
        "--record {output.record:q} --page {output.page:q} > {log:q} 2>&1"

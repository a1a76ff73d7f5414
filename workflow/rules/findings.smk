"""Findings: the claims of the configuration, tested on the cells of its studies.

Needs: the records of the cells that the claims compare, similarity/ of their pairs; records of further metrics, where
they are asked for.
Makes: findings.json and findings.md in results/<study file>/.
"""


rule test_claims:
    """Every claim supported, refuted or undecided, by rules that were written before."""
    input:
        inputs_of("test_claims"),
    output:
        page=report(
            f"{RESULTS}/findings.md",
            caption="../report/findings.rst",
            category="Findings",
            labels={"table": "findings"},
        ),
        record=f"{RESULTS}/findings.json",
    log:
        f"logs/{STUDY_FILE}/test_claims.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/test_claims.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("test_claims"),
        inputs=options_of("test_claims"),
    shell:
        "exec python -m mtpeft test_claims --params {params.params:q} {params.inputs} "
        "--record {output.record:q} --page {output.page:q} > {log:q} 2>&1"

"""Findings: the claims of the configuration, tested on the cells of its studies.

Needs: score.json and train.json of the cells that the claims compare, data/pairs/<pair>/similarity.json; comet.json where it is asked for.
Makes: results/findings.json and findings.md.
"""


rule findings:
    """Every claim supported, refuted or undecided, by rules that were written before."""
    input:
        paths.finding_records(CONFIGURATION),
        comet_settings.claim_comet_records(CONFIGURATION),
        similarities=paths.finding_similarities(CONFIGURATION),
    output:
        page=report(
            "results/findings.md",
            caption="../report/findings.rst",
            category="Findings",
            labels={"table": "findings"},
        ),
        record="results/findings.json",
    log:
        "logs/findings.log",
    benchmark:
        "benchmarks/findings.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=canonical(settings.findings_settings(CONFIGURATION)),
    shell:
        "exec python -m mtpeft findings --settings {params.settings:q} --similarities {input.similarities:q} "
        "--record {output.record:q} --page {output.page:q} > {log:q} 2>&1"

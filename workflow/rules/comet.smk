"""Scoring with COMET, where the configuration names a model: one job per cell, in an environment of its own.

Needs: a cell's hypotheses and decode.json, the text of its test sets; a model of COMET, from a hub or a file.
Makes: data/comet/environment/, data/comet/model-<digest>/model.json with what was fetched beside it, and
results/cells/<six labels>-<digest>/comet-<digest>.json, with a score per sentence; for a group of pairs the same in
others/<pair>/.
"""


rule install_comet:
    """Install COMET into an environment of its own: it needs other versions than the workflow."""
    output:
        install_comet.RECORD,
    log:
        "logs/install_comet.log",
    benchmark:
        "benchmarks/install_comet.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("install_comet"),
    shell:
        "exec python -m mtpeft install_comet --params {params.params:q} --record {output:q} > {log:q} 2>&1"


rule take_in_comet:
    """Fetch the model that scores, or see where it lies, load it once, and record its hashes."""
    input:
        inputs_of("take_in_comet"),
        # Its version is among the params of cells: an environment in the place of an older one makes nothing stale.
        environment=ancient(install_comet.RECORD),
    output:
        take_in_comet.model_record(CONFIGURATION),
    log:
        "logs/take_in_comet.log",
    benchmark:
        "benchmarks/take_in_comet.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("take_in_comet"),
    shell:
        "exec python -m mtpeft take_in_comet --params {params.params:q} --environment {input.environment:q} "
        "--record {output:q} > {log:q} 2>&1"


rule score_with_comet:
    """Scores of COMET for every sentence of every test set."""
    input:
        f"{CELL}/hypotheses",
        inputs_of("score_with_comet"),
        environment=ancient(install_comet.RECORD),
        decoded=f"{CELL}/decode.json",
    output:
        f"{CELL}/{take_in_comet.cell_record(CONFIGURATION)}",
    log:
        f"logs/score_with_comet/{LABELS}.log",
    benchmark:
        f"benchmarks/score_with_comet/{LABELS}.tsv"
    wildcard_constraints:
        pair=PAIR,
    priority: in_order("score")
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: take_in_comet.asked(CONFIGURATION).threads
    params:
        params=params_of("score_with_comet"),
        inputs=options_of("score_with_comet"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft score_with_comet --cell {params.cell:q} --params {params.params:q} --decoded {input.decoded:q} "
        "{params.inputs} --environment {input.environment:q} "
        "--record {output:q} > {log:q} 2>&1"


use rule score_with_comet as score_with_comet_other with:
    input:
        f"{OTHER}/hypotheses",
        inputs_of("score_with_comet", ON_OTHER),
        environment=ancient(install_comet.RECORD),
        decoded=f"{OTHER}/decode.json",
    output:
        f"{OTHER}/{take_in_comet.cell_record(CONFIGURATION)}",
    log:
        f"logs/score_with_comet_other/{LABELS}/{{other}}.log",
    benchmark:
        f"benchmarks/score_with_comet_other/{LABELS}/{{other}}.tsv"
    wildcard_constraints:
        pair=PAIR_OR_GROUP,
    priority: in_order("score_other")
    params:
        params=params_of("score_with_comet", ON_OTHER),
        inputs=options_of("score_with_comet", ON_OTHER),
        cell=LABELS,

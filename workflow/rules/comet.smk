"""Scoring with COMET, where the configuration names a model: one job per cell, in an environment of its own.

Needs: a cell's hypotheses and decode.json, the text of its test sets; a model of COMET, from a hub or a file.
Makes: data/comet/environment/, data/comet/model-<digest>/model.json with what was fetched beside it, and
results/cells/<six labels>-<digest>/comet-<digest>.json, with a score per sentence; for a group of pairs the same in
others/<pair>/.
"""


rule install_comet:
    """Install COMET into an environment of its own: it needs other versions than the workflow."""
    output:
        comet_settings.ENVIRONMENT,
    log:
        "logs/install_comet.log",
    benchmark:
        "benchmarks/install_comet.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("install_comet"),
    shell:
        "exec python -m mtpeft install_comet --settings {params.settings:q} --record {output:q} > {log:q} 2>&1"


rule take_in_comet:
    """Fetch the model that scores, or see where it lies, load it once, and record its hashes."""
    input:
        files(comet_settings.model_files),
        # Its version is among the settings of cells: an environment in the place of an older one makes nothing stale.
        environment=ancient(comet_settings.ENVIRONMENT),
    output:
        comet_settings.model_record(CONFIGURATION),
    log:
        "logs/take_in_comet.log",
    benchmark:
        "benchmarks/take_in_comet.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("comet_model"),
    shell:
        "exec python -m mtpeft comet_model --settings {params.settings:q} --environment {input.environment:q} "
        "--record {output:q} > {log:q} 2>&1"


rule comet:
    """Scores of COMET for every sentence of every test set."""
    input:
        f"{CELL}/hypotheses",
        environment=ancient(comet_settings.ENVIRONMENT),
        model=comet_settings.model_record(CONFIGURATION),
        decoded=f"{CELL}/decode.json",
        references=files(paths.references),
    output:
        f"{CELL}/{comet_settings.cell_record(CONFIGURATION)}",
    log:
        f"logs/comet/{LABELS}.log",
    benchmark:
        f"benchmarks/comet/{LABELS}.tsv"
    wildcard_constraints:
        pair=PAIR,
    priority: in_order("score")
    conda:
        "../../envs/workflow.yaml"
    threads: lambda wildcards: comet_settings.wanted(CONFIGURATION).threads
    params:
        settings=told_cell("comet"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft comet --cell {params.cell:q} --settings {params.settings:q} --decoded {input.decoded:q} "
        "--references {input.references:q} --model {input.model:q} --environment {input.environment:q} "
        "--record {output:q} > {log:q} 2>&1"


use rule comet as comet_member with:
    input:
        f"{OTHER}/hypotheses",
        environment=ancient(comet_settings.ENVIRONMENT),
        model=comet_settings.model_record(CONFIGURATION),
        decoded=f"{OTHER}/decode.json",
        references=on_other(files(paths.references)),
    output:
        f"{OTHER}/{comet_settings.cell_record(CONFIGURATION)}",
    log:
        f"logs/comet_member/{LABELS}/{{other}}.log",
    benchmark:
        f"benchmarks/comet_member/{LABELS}/{{other}}.tsv"
    wildcard_constraints:
        pair=PAIR_OR_GROUP,
    priority: in_order("score_other")
    params:
        settings=on_other(told_cell("comet")),
        cell=LABELS,

"""Scoring with metrics that have an environment of their own, such as COMET, where the configuration asks for them.

Needs: a cell's hypotheses and decode.json, the text of its test sets; a metric's model, from a hub or a file.
Makes: data/metrics/environments/<metric>-<digest>/ with the installed packages, data/metrics/models/<metric>-<digest>/
with model.json and what was fetched, and results/cells/<six labels>-<digest>/<metric>-<digest>.json, with a score per sentence; for a group
of pairs the same in others/<pair>/.
"""


rule install_metric:
    """Install a metric into an environment of its own: it needs packages that the workflow can't have."""
    output:
        "data/metrics/environments/{metric}/installed.json",
    log:
        "logs/install_metric/{metric}.log",
    benchmark:
        "benchmarks/install_metric/{metric}.tsv"
    wildcard_constraints:
        metric=paths.any_of(install_metric.names(CONFIGURATION)),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("install_metric"),
    shell:
        "exec python -m mtpeft install_metric --params {params.params:q} --record {output:q} > {log:q} 2>&1"


rule take_in_metric:
    """Fetch the model that a metric scores with, or see where it lies, load it once, and record its hashes."""
    input:
        inputs_of("take_in_metric"),
        environment=ENVIRONMENT_OF_METRIC,
    output:
        "data/metrics/models/{metric}/model.json",
    log:
        "logs/take_in_metric/{metric}.log",
    benchmark:
        "benchmarks/take_in_metric/{metric}.tsv"
    wildcard_constraints:
        metric=paths.any_of(take_in_metric.model_names(CONFIGURATION)),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("take_in_metric"),
    shell:
        "exec python -m mtpeft take_in_metric --params {params.params:q} --environment {input.environment:q} "
        "--record {output:q} > {log:q} 2>&1"


rule score_with_metric:
    """Scores of a metric for every sentence of every test set."""
    input:
        f"{CELL}/hypotheses",
        inputs_of("score_with_metric"),
        environment=ENVIRONMENT_OF_METRIC,
        decoded=f"{CELL}/decode.json",
    output:
        f"{CELL}/{{metric}}.json",
    log:
        f"logs/score_with_metric/{LABELS}/{{metric}}.log",
    benchmark:
        f"benchmarks/score_with_metric/{LABELS}/{{metric}}.tsv"
    wildcard_constraints:
        pair=PAIR,
        metric=paths.any_of(score_with_metric.record_names(CONFIGURATION)),
    priority: in_order("score")
    conda:
        "../../envs/workflow.yaml"
    threads: of_labels(lambda labels: score_with_metric.threads(CONFIGURATION, labels["metric"]))
    params:
        params=params_of("score_with_metric"),
        inputs=options_of("score_with_metric"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft score_with_metric --cell {params.cell:q} --params {params.params:q} --decoded {input.decoded:q} "
        "{params.inputs} --environment {input.environment:q} "
        "--record {output:q} > {log:q} 2>&1"


use rule score_with_metric as score_with_metric_other with:
    input:
        f"{OTHER}/hypotheses",
        inputs_of("score_with_metric", ON_OTHER),
        environment=ENVIRONMENT_OF_METRIC,
        decoded=f"{OTHER}/decode.json",
    output:
        f"{OTHER}/{{metric}}.json",
    log:
        f"logs/score_with_metric_other/{LABELS}/{{other}}/{{metric}}.log",
    benchmark:
        f"benchmarks/score_with_metric_other/{LABELS}/{{other}}/{{metric}}.tsv"
    wildcard_constraints:
        pair=PAIR_OR_GROUP,
        metric=paths.any_of(score_with_metric.record_names(CONFIGURATION)),
    priority: in_order("score_other")
    params:
        params=params_of("score_with_metric", ON_OTHER),
        inputs=options_of("score_with_metric", ON_OTHER),
        cell=LABELS,

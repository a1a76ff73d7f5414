"""Serving: feed-forward blocks of a cell as experts, of which some are computed for each token, for the studies that
show it.

Needs: a cell's tuned/ and train.json, token arrays of the training text and of the test sets of its pair, references.
Makes: results/cells/<six labels>-<digest>/experts/<split>-<digest>/experts.safetensors and experts.json, in it for each
number of active experts <active>/hypotheses/<test set>.txt, served.json and score.json; serving.csv in
results/<study file>/tables/<study>/.
"""


rule split_experts:
    """The experts of a cell's feed-forward blocks, and their routers."""
    input:
        inputs_of("split_experts"),
        tuned=f"{CELL}/tuned",
        trained=f"{CELL}/train.json",
    output:
        experts=f"{EXPERTS}/experts.safetensors",
        record=f"{EXPERTS}/experts.json",
    log:
        f"logs/split_experts/{LABELS}/{{experts}}.log",
    benchmark:
        f"benchmarks/split_experts/{LABELS}/{{experts}}.tsv"
    wildcard_constraints:
        pair=PAIR,
    priority: in_order("split_experts")
    conda:
        "../../envs/workflow.yaml"
    threads: THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
    params:
        params=params_of("split_experts"),
        inputs=options_of("split_experts"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft split_experts --cell {params.cell:q} --params {params.params:q} "
        "--trained {input.trained:q} {params.inputs} --cells-per-gpu {resources.cells_per_gpu:q} "
        "--output {output.experts:q} --record {output.record:q} > {log:q} 2>&1"


rule decode_with_experts:
    """Translate the test sets with some of the experts."""
    input:
        inputs_of("decode_with_experts"),
        f"{EXPERTS}/experts.safetensors",
        tuned=f"{CELL}/tuned",
        trained=f"{CELL}/train.json",
        experts=f"{EXPERTS}/experts.json",
    output:
        hypotheses=directory(f"{SERVED}/hypotheses"),
        record=f"{SERVED}/served.json",
    log:
        f"logs/decode_with_experts/{LABELS}/{{experts}}/{{active}}.log",
    benchmark:
        f"benchmarks/decode_with_experts/{LABELS}/{{experts}}/{{active}}.tsv"
    wildcard_constraints:
        pair=PAIR,
    priority: in_order("decode_with_experts")
    conda:
        "../../envs/workflow.yaml"
    threads: THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
    params:
        params=params_of("decode_with_experts"),
        inputs=options_of("decode_with_experts"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft decode_with_experts --cell {params.cell:q} --params {params.params:q} "
        "--trained {input.trained:q} --experts {input.experts:q} {params.inputs} "
        "--cells-per-gpu {resources.cells_per_gpu:q} --record {output.record:q} > {log:q} 2>&1"


use rule score as score_with_experts with:
    input:
        f"{SERVED}/hypotheses",
        inputs_of("score"),
        decoded=f"{SERVED}/served.json",
    output:
        f"{SERVED}/score.json",
    log:
        f"logs/score_with_experts/{LABELS}/{{experts}}/{{active}}.log",
    benchmark:
        f"benchmarks/score_with_experts/{LABELS}/{{experts}}/{{active}}.tsv"
    priority: in_order("score_with_experts")
    params:
        params=params_of("score"),
        inputs=options_of("score"),
        cell=LABELS,


rule collect_serving:
    """Scores of the cells of one study with some of their experts."""
    input:
        inputs_of("collect_serving"),
    output:
        f"{RESULTS}/tables/{{study}}/serving.csv",
    log:
        f"logs/{STUDY_FILE}/collect_serving/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/collect_serving/{{study}}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("collect_serving"),
    shell:
        "exec python -m mtpeft collect_serving --params {params.params:q} --output {output:q} > {log:q} 2>&1"

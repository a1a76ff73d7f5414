"""Representations: how many directions the hidden states of each layer use, for the studies that show it.

Needs: a cell's tuned/ and train.json, token arrays of the dev set of its pair. The test set is no input.
Makes: results/cells/<six labels>-<digest>/representations.json; representations.csv in
results/<study file>/tables/<study>/.
"""


rule represent:
    """Effective rank of the hidden states of every layer on the dev set."""
    input:
        inputs_of("represent"),
        tuned=f"{CELL}/tuned",
        trained=f"{CELL}/train.json",
    output:
        f"{CELL}/representations.json",
    log:
        f"logs/represent/{LABELS}.log",
    benchmark:
        f"benchmarks/represent/{LABELS}.tsv"
    wildcard_constraints:
        pair=PAIR,
    priority: in_order("represent")
    conda:
        "../../envs/workflow.yaml"
    threads: THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
        offload=OFFLOAD,
    params:
        params=params_of("represent"),
        inputs=options_of("represent"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft represent --cell {params.cell:q} --params {params.params:q} --trained {input.trained:q} "
        "{params.inputs} --cells-per-gpu {resources.cells_per_gpu:q} --offload {resources.offload:q} "
        "--record {output:q} > {log:q} 2>&1"


rule collect_representations:
    """Effective ranks of the cells of one study, by layer."""
    input:
        inputs_of("collect_representations"),
    output:
        f"{RESULTS}/tables/{{study}}/representations.csv",
    log:
        f"logs/{STUDY_FILE}/collect_representations/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/collect_representations/{{study}}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("collect_representations"),
    shell:
        "exec python -m mtpeft collect_representations --params {params.params:q} --output {output:q} > {log:q} 2>&1"

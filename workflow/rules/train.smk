"""Fine-tuning: one job per cell.

Needs: results/models/<model>/base.json, token arrays, a subset. The test set is no input.
Makes: results/cells/<six labels>-<digest>/tuned/ and train.json. The half-trained state lies beside them in state/, undeclared,
since Snakemake deletes what a failed job declared; the trainer resumes it and removes it when it is done.
"""


rule cells:
    """Every cell trained, decoded and scored, without tables and figures."""
    input:
        paths.all_records(CONFIGURATION),
        others.other_records(CONFIGURATION),


rule train:
    """Fine-tune a base model with a method at its budget."""
    input:
        named_files(paths.train_inputs),
    output:
        tuned=directory(f"{CELL}/tuned"),
        record=f"{CELL}/train.json",
    log:
        f"logs/train/{LABELS}.log",
    benchmark:
        f"benchmarks/train/{LABELS}.tsv"
    wildcard_constraints:
        pair=PAIR_OR_GROUP,
    priority: in_order("train")
    conda:
        "../../envs/workflow.yaml"
    threads: TRAINING_THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
        processes=PROCESSES,
        micro_batch_tokens=MICRO_BATCH_TOKENS,
        sharded=SHARDED,
    params:
        settings=told_cell("train"),
        inputs=options(paths.train_inputs),
        cell=LABELS,
    shell:
        "exec python -m mtpeft train --cell {params.cell:q} --settings {params.settings:q} {params.inputs} "
        "--gpus {resources.processes:q} --micro-batch-tokens {resources.micro_batch_tokens:q} "
        "--sharded {resources.sharded:q} --cells-per-gpu {resources.cells_per_gpu:q} --record {output.record:q} > {log:q} 2>&1"

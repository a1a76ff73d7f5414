"""Fine-tuning: one job per cell.

Needs: results/models/<model>/base.json, token arrays, a subset; train.json of the cell that it starts from, if it does.
The test set is no input.
Makes: results/cells/<six labels>-<digest>/tuned/ and train.json. The half-trained state lies beside them in state/, undeclared,
since Snakemake deletes what a failed job declared; the trainer resumes it and removes it when it is done.
"""


rule cells:
    """Every cell trained, decoded and scored, without tables and figures."""
    input:
        cells_of_studies.scored_records(CONFIGURATION),


rule train:
    """Fine-tune a base model with a method at its budget."""
    input:
        inputs_of("train"),
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
        offload=OFFLOAD,
        processes=PROCESSES,
        micro_batch_tokens=MICRO_BATCH_TOKENS,
        sharded=SHARDED,
        gradient_checkpointing=GRADIENT_CHECKPOINTING,
    params:
        params=params_of("train"),
        inputs=options_of("train"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft train --cell {params.cell:q} --params {params.params:q} {params.inputs} "
        "--gpus {resources.processes:q} --micro-batch-tokens {resources.micro_batch_tokens:q} "
        "--sharded {resources.sharded:q} --gradient-checkpointing {resources.gradient_checkpointing:q} "
        "--cells-per-gpu {resources.cells_per_gpu:q} --offload {resources.offload:q} "
        "--record {output.record:q} > {log:q} 2>&1"

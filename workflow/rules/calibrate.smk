"""Calibrations: one job per model and method, which `make plan CALIBRATE=1` asks for and no study does.

Needs: results/models/<model>/base.json, token arrays and a subset of the first cell that has them.
Makes: results/calibration/<model>-<digest>/<method>-<digest>.json with the time of some updates and of a decoded batch.
"""


rule calibrate:
    """Time twenty updates and a decoded batch of a model with a method, for the plan."""
    input:
        inputs_of("calibrate"),
    output:
        "results/calibration/{model}/{method}.json",
    log:
        "logs/calibrate/{model}/{method}.log",
    benchmark:
        "benchmarks/calibrate/{model}/{method}.tsv"
    wildcard_constraints:
        model=paths.all_models(CONFIGURATION),
        method=paths.with_digest(CONFIGURATION.methods),
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
        params=params_of("calibrate"),
        inputs=options_of("calibrate"),
    shell:
        "exec python -m mtpeft calibrate --params {params.params:q} {params.inputs} "
        "--gpus {resources.processes:q} --micro-batch-tokens {resources.micro_batch_tokens:q} "
        "--sharded {resources.sharded:q} --gradient-checkpointing {resources.gradient_checkpointing:q} "
        "--cells-per-gpu {resources.cells_per_gpu:q} --offload {resources.offload:q} "
        "--record {output:q} > {log:q} 2>&1"

"""Learning rates: one job per model, size, method and budget whose rate is searched for and is in no table yet.

Needs: results/models/<model>/base.json, token arrays and subsets of the pairs of `rate_search`. The test set is no
input.
Makes: results/rates/<model>/<size>/<method>/<budget>-<digest>.json with all trials; rates.csv of all searches in
results/<study file>/.
"""


rule collect_rates:
    """All learning rates that are searched for, in one table that a configuration can name in `rate_search.table`."""
    input:
        inputs_of("collect_rates"),
    output:
        f"{RESULTS}/rates.csv",
    log:
        f"logs/{STUDY_FILE}/collect_rates.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/collect_rates.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("collect_rates"),
        inputs=options_of("collect_rates"),
    shell:
        "exec python -m mtpeft collect_rates --params {params.params:q} {params.inputs} --output {output:q} > {log:q} 2>&1"


rule search_rate:
    """Search for the learning rate of a model, size, method and budget on dev sets."""
    input:
        inputs_of("search_rate"),
    output:
        "results/rates/{model}/{size}/{method}/{budget}.json",
    log:
        "logs/search_rate/{model}/{size}/{method}/{budget}.log",
    benchmark:
        "benchmarks/search_rate/{model}/{size}/{method}/{budget}.tsv"
    wildcard_constraints:
        budget=paths.with_digest(paths.budgets(CONFIGURATION)),
    priority: in_order("search_rate")
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
        params=params_of("search_rate"),
        inputs=options_of("search_rate"),
    shell:
        "exec python -m mtpeft search_rate --params {params.params:q} {params.inputs} "
        "--gpus {resources.processes:q} --micro-batch-tokens {resources.micro_batch_tokens:q} "
        "--sharded {resources.sharded:q} --gradient-checkpointing {resources.gradient_checkpointing:q} "
        "--cells-per-gpu {resources.cells_per_gpu:q} --offload {resources.offload:q} "
        "--record {output:q} > {log:q} 2>&1"

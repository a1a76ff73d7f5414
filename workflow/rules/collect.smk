"""Collection: the records of many cells in one tidy table.

Needs: train.json, decode.json and score.json of cells, comet.json where it is asked for; text and token arrays of the
test sets.
Makes: in results/<study file>/: scores.csv, costs.csv and summary.csv of all cells; the same of each study in
tables/<study>/, with others.csv where it scores other pairs; text.csv.
"""


rule tables:
    """All tables."""
    input:
        f"{RESULTS}/scores.csv",
        f"{RESULTS}/summary.csv",
        f"{RESULTS}/text.csv",
        others.study_tables(CONFIGURATION),
        representations.study_tables(CONFIGURATION),


rule collect_all:
    """Tables of all cells."""
    input:
        paths.all_records(CONFIGURATION),
        comet_settings.all_comet_records(CONFIGURATION),
    output:
        scores=f"{RESULTS}/scores.csv",
        costs=f"{RESULTS}/costs.csv",
    log:
        f"logs/{STUDY_FILE}/collect_all.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/collect_all.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=canonical(settings.tables_settings(CONFIGURATION, "efficiency")),
    shell:
        "exec python -m mtpeft collect --settings {params.settings:q} --scores {output.scores:q} --costs {output.costs:q} "
        "> {log:q} 2>&1"


rule collect_study:
    """Tables of the cells of one study."""
    input:
        files(paths.study_records),
        files(comet_settings.study_comet_records),
    output:
        scores=f"{RESULTS}/tables/{{study}}/scores.csv",
        costs=f"{RESULTS}/tables/{{study}}/costs.csv",
    log:
        f"logs/{STUDY_FILE}/collect_study/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/collect_study/{{study}}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("tables", "study"),
    shell:
        "exec python -m mtpeft collect --settings {params.settings:q} --scores {output.scores:q} --costs {output.costs:q} "
        "> {log:q} 2>&1"


rule summarise_all:
    """Systems of all studies, each over all of its seeds: scores, differences with their intervals, and costs."""
    input:
        paths.all_records(CONFIGURATION),
        comet_settings.all_comet_records(CONFIGURATION),
    output:
        table=f"{RESULTS}/summary.csv",
        page=f"{RESULTS}/summary.md",
    log:
        f"logs/{STUDY_FILE}/summarise_all.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/summarise_all.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=canonical(settings.summary_settings(CONFIGURATION, "efficiency")),
    shell:
        "exec python -m mtpeft summarise --settings {params.settings:q} --output {output.table:q} --page {output.page:q} "
        "> {log:q} 2>&1"


rule summarise_study:
    """Systems of one study, each over its seeds: scores and differences with their intervals."""
    input:
        files(paths.study_records),
        files(comet_settings.study_comet_records),
    output:
        table=f"{RESULTS}/tables/{{study}}/summary.csv",
        page=f"{RESULTS}/tables/{{study}}/summary.md",
    log:
        f"logs/{STUDY_FILE}/summarise_study/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/summarise_study/{{study}}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("summary", "study"),
    shell:
        "exec python -m mtpeft summarise --settings {params.settings:q} --output {output.table:q} --page {output.page:q} "
        "> {log:q} 2>&1"


rule summarise_others:
    """Systems of one study on other pairs than their own: scores, and differences to the untouched model there."""
    input:
        files(others.compared_records),
    output:
        table=f"{RESULTS}/tables/{{study}}/others.csv",
        page=f"{RESULTS}/tables/{{study}}/others.md",
    log:
        f"logs/{STUDY_FILE}/summarise_others/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/summarise_others/{{study}}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told("others", "study"),
    shell:
        "exec python -m mtpeft others --settings {params.settings:q} --output {output.table:q} --page {output.page:q} "
        "> {log:q} 2>&1"


rule describe_text:
    """Length of the test sentences in words, and tokens per word of each model: how hard a language's script is on it."""
    input:
        **paths.tested(CONFIGURATION),
    output:
        table=f"{RESULTS}/text.csv",
        page=f"{RESULTS}/text.md",
    log:
        f"logs/{STUDY_FILE}/describe_text.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/describe_text.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=canonical(settings.text_settings(CONFIGURATION)),
    shell:
        "exec python -m mtpeft text --settings {params.settings:q} --texts {input.texts:q} --arrays {input.arrays:q} "
        "--output {output.table:q} --page {output.page:q} > {log:q} 2>&1"

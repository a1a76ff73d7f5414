"""Collection: the records of many cells in one tidy table.

Needs: train.json, decode.json and score.json of cells, records of further metrics where they are asked for; text and
token arrays of the test sets.
Makes: in results/<study file>/: scores.csv, costs.csv and summary.csv of all cells; the same of each study in
tables/<study>/, with others.csv where it scores other pairs, and summary.html for the report; text.csv.
"""


rule tables:
    """All tables."""
    input:
        f"{RESULTS}/scores.csv",
        f"{RESULTS}/summary.csv",
        f"{RESULTS}/text.csv",
        cells_of_studies.study_tables(CONFIGURATION),


rule collect_all_scores:
    """Tables of all cells; `collect_scores` makes those of one study."""
    input:
        inputs_of("collect_scores", ALL_CELLS),
    output:
        scores=f"{RESULTS}/scores.csv",
        costs=f"{RESULTS}/costs.csv",
    log:
        f"logs/{STUDY_FILE}/collect_all_scores.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/collect_all_scores.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("collect_scores", ALL_CELLS),
    shell:
        "exec python -m mtpeft collect_scores --params {params.params:q} --scores {output.scores:q} --costs {output.costs:q} "
        "> {log:q} 2>&1"


use rule collect_all_scores as collect_scores with:
    input:
        inputs_of("collect_scores"),
    output:
        scores=f"{RESULTS}/tables/{{study}}/scores.csv",
        costs=f"{RESULTS}/tables/{{study}}/costs.csv",
    log:
        f"logs/{STUDY_FILE}/collect_scores/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/collect_scores/{{study}}.tsv"
    priority: FIRST
    params:
        params=params_of("collect_scores"),


rule summarise_all:
    """Systems of all studies over their seeds: scores, differences with intervals, costs; `summarise`: of one study."""
    input:
        inputs_of("summarise", ALL_CELLS),
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
        params=params_of("summarise", ALL_CELLS),
    shell:
        "exec python -m mtpeft summarise --params {params.params:q} --output {output.table:q} --page {output.page:q} "
        "> {log:q} 2>&1"


use rule summarise_all as summarise with:
    input:
        inputs_of("summarise"),
    output:
        table=f"{RESULTS}/tables/{{study}}/summary.csv",
        page=f"{RESULTS}/tables/{{study}}/summary.md",
    log:
        f"logs/{STUDY_FILE}/summarise/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/summarise/{{study}}.tsv"
    priority: FIRST
    params:
        params=params_of("summarise"),


rule write_report_table:
    """The summary of a study as a page for the report."""
    input:
        inputs_of("write_report_table"),
    output:
        report(
            f"{RESULTS}/tables/{{study}}/summary.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"study": "{study}"},
        ),
    log:
        f"logs/{STUDY_FILE}/write_report_table/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/write_report_table/{{study}}.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("write_report_table"),
        inputs=options_of("write_report_table"),
    shell:
        "exec python -m mtpeft write_report_table --params {params.params:q} {params.inputs} --page {output:q} > {log:q} 2>&1"


rule summarise_others:
    """Systems of one study on other pairs than their own: scores, and differences to the untouched model there."""
    input:
        inputs_of("summarise_others"),
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
        params=params_of("summarise_others"),
    shell:
        "exec python -m mtpeft summarise_others --params {params.params:q} --output {output.table:q} --page {output.page:q} "
        "> {log:q} 2>&1"


rule describe_text:
    """Length of the test sentences in words, and tokens per word of each model: how hard a language's script is on it."""
    input:
        inputs_of("describe_text"),
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
        params=params_of("describe_text"),
        inputs=options_of("describe_text"),
    shell:
        "exec python -m mtpeft describe_text --params {params.params:q} {params.inputs} "
        "--output {output.table:q} --page {output.page:q} > {log:q} 2>&1"

"""When does parameter-efficient fine-tuning work for machine translation?

The data flow, one file of rules for each part of it:

    text -> clean, split -> vocabulary -> token arrays -> subset      workflow/rules/data.smk
    base models                                                       workflow/rules/models.smk
    learning rates, where they are searched for                       workflow/rules/rates.smk
    times of a few updates, for the plan                              workflow/rules/calibrate.smk
    (base model, cell) -> tuned weights                               workflow/rules/train.smk
    -> hypotheses -> score record                                     workflow/rules/decode.smk, score.smk
    representations, where a study shows them                         workflow/rules/represent.smk
    -> experts -> hypotheses, where a study serves cells with them    workflow/rules/serve.smk
    metrics in environments of their own, where asked for             workflow/rules/metrics.smk
    -> tables -> figures                                              workflow/rules/collect.smk, figures.smk
    -> claims tested                                                  workflow/rules/findings.smk

The study is in config.yaml; `make figures` runs it, and `python -m mtpeft --help` lists every step.
"""

from snakemake.utils import min_version

min_version("9.19")


configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"


report: "workflow/report/workflow.rst"


wildcard_constraints:
    **paths.constraints(CONFIGURATION),


localrules:
    # On a cluster these are made where Snakemake runs: what runs nothing,
    all,
    data,
    models,
    cells,
    tables,
    # what needs a network, which the nodes of many clusters lack,
    fetch_wheel,
    install_mtdata,
    fetch_dataset,
    fetch_model,
    fetch_marian,
    install_metric,
    take_in_metric,
    # and what takes a few seconds.
    choose_subset,
    choose_subset_at_most,
    take_in_model,
    collect_rates,
    collect_all_scores,
    collect_scores,
    collect_representations,
    collect_serving,
    describe_text,
    draw_figure,
    draw_efficiency,
    write_report_table,


onstart:
    # Jobs of a cluster and dry runs have no such hook: this is the one Snakemake that works in this folder.
    lock_folder()
    compat.limit_scheduler_polls(workflow)


rule all:
    """Figures, findings and tables of all cells; records are named too, so that one that was deleted is made again."""
    input:
        draw_figure.figures(CONFIGURATION),
        cells_of_studies.all_records(CONFIGURATION),
        cells_of_studies.start_records(CONFIGURATION),
        verify.lost_files(CONFIGURATION) if compat.is_main_process(workflow) else [],
        f"{RESULTS}/scores.csv",
        f"{RESULTS}/costs.csv",
        f"{RESULTS}/summary.csv",
        f"{RESULTS}/text.csv",
        cells_of_studies.study_tables(CONFIGURATION),
        write_report_table.pages(CONFIGURATION),
        f"{RESULTS}/findings.md",
        f"{RESULTS}/findings.json",


include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/rates.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/decode.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/represent.smk"
include: "workflow/rules/serve.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/findings.smk"

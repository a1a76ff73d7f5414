"""Figures, from the summaries alone: anyone can redraw them without a model.

Needs: in results/<study file>/: tables/<study>/summary.csv, others.csv and representations.csv where there are;
summary.csv.
Makes: beside them figures/<study>.{pdf,svg,png} and efficiency.{pdf,svg,png}.
"""

# The captions of the report say what each figure is about; they read it here, and its first page reads the versions.
config["captions"] = draw_figure.captions(CONFIGURATION)
if compat.is_main_process(workflow):
    config["versions"] = ", ".join(f"{name} {version}" for name, version in versions().items())

for label in CONFIGURATION.studies:

    rule:
        """One study alone: `snakemake study_budgets` makes its cells, tables and figure."""
        name:
            f"study_{label}"
        input:
            draw_figure.figures_of(CONFIGURATION, label),
            f"{RESULTS}/tables/{label}/scores.csv",
        localrule: True


rule draw_figure:
    """The figure of a study."""
    input:
        inputs_of("draw_figure"),
    output:
        report(
            f"{RESULTS}/figures/{{study}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"study": "{study}"},
        ),
        f"{RESULTS}/figures/{{study}}.png",
        pdf=f"{RESULTS}/figures/{{study}}.pdf",
    log:
        f"logs/{STUDY_FILE}/draw_figure/{{study}}.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/draw_figure/{{study}}.tsv"
    priority: FIRST
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("draw_figure"),
        inputs=options_of("draw_figure"),
        stem=subpath(output.pdf, strip_suffix=".pdf"),
    shell:
        "exec python -m mtpeft draw_figure --params {params.params:q} {params.inputs} "
        "--stem {params.stem:q} > {log:q} 2>&1"


rule draw_efficiency:
    """Quality against what it costs, for the cells of all studies."""
    input:
        summary=f"{RESULTS}/summary.csv",
    output:
        report(
            f"{RESULTS}/figures/efficiency.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"study": "efficiency"},
        ),
        f"{RESULTS}/figures/efficiency.png",
        pdf=f"{RESULTS}/figures/efficiency.pdf",
    log:
        f"logs/{STUDY_FILE}/draw_efficiency.log",
    benchmark:
        f"benchmarks/{STUDY_FILE}/draw_efficiency.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        params=params_of("draw_figure", ALL_CELLS),
        stem=subpath(output.pdf, strip_suffix=".pdf"),
    shell:
        "exec python -m mtpeft draw_figure --params {params.params:q} --summary {input.summary:q} --stem {params.stem:q} "
        "> {log:q} 2>&1"

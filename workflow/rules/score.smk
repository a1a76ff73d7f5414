"""Scoring: one job per cell, and for each other pair that it is scored on; a new metric needs no decoding. A group has
those of its pairs alone.

Needs: a cell's hypotheses and decode.json, the references.
Makes: results/cells/<six labels>-<digest>/score.json, with counts per sentence; the same in others/<pair>/.
"""


rule score:
    """chrF and BLEU with their signatures."""
    input:
        f"{CELL}/hypotheses",
        decoded=f"{CELL}/decode.json",
        references=files(paths.references),
    output:
        f"{CELL}/score.json",
    log:
        f"logs/score/{LABELS}.log",
    benchmark:
        f"benchmarks/score/{LABELS}.tsv"
    wildcard_constraints:
        pair=PAIR,
    priority: in_order("score")
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=told_cell("score"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft score --cell {params.cell:q} --settings {params.settings:q} --decoded {input.decoded:q} "
        "--references {input.references:q} --record {output:q} > {log:q} 2>&1"


use rule score as score_other with:
    input:
        f"{OTHER}/hypotheses",
        decoded=f"{OTHER}/decode.json",
        references=on_other(files(paths.references)),
    output:
        f"{OTHER}/score.json",
    log:
        f"logs/score_other/{LABELS}/{{other}}.log",
    benchmark:
        f"benchmarks/score_other/{LABELS}/{{other}}.tsv"
    wildcard_constraints:
        pair=PAIR_OR_GROUP,
    priority: in_order("score_other")
    params:
        settings=on_other(told_cell("score")),
        cell=LABELS,

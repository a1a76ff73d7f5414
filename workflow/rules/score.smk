"""Scoring: one job per cell, and for each other pair that it is scored on; a new metric needs no decoding. A group has
those of its pairs alone.

Needs: a cell's hypotheses and decode.json, the references.
Makes: results/cells/<six labels>-<digest>/score.json, with counts per sentence; the same in others/<pair>/.
"""


rule score:
    """chrF and BLEU with their signatures."""
    input:
        f"{CELL}/hypotheses",
        inputs_of("score"),
        decoded=f"{CELL}/decode.json",
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
        params=params_of("score"),
        inputs=options_of("score"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft score --cell {params.cell:q} --params {params.params:q} --decoded {input.decoded:q} "
        "{params.inputs} --record {output:q} > {log:q} 2>&1"


use rule score as score_other with:
    input:
        f"{OTHER}/hypotheses",
        inputs_of("score", ON_OTHER),
        decoded=f"{OTHER}/decode.json",
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
        params=params_of("score", ON_OTHER),
        inputs=options_of("score", ON_OTHER),
        cell=LABELS,

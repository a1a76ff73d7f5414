"""Decoding: one job per cell, all its test sets; one more for each other pair that the cell is scored on. A group has
those of its pairs alone.

Needs: a cell's tuned/ and train.json, token arrays of the test sets.
Makes: results/cells/<six labels>-<digest>/hypotheses/<test set>.txt and decode.json; the same in others/<pair>/.
"""


rule decode:
    """Translate the test sets with the tuned model."""
    input:
        inputs_of("decode"),
        tuned=f"{CELL}/tuned",
        trained=f"{CELL}/train.json",
    output:
        hypotheses=directory(f"{CELL}/hypotheses"),
        record=f"{CELL}/decode.json",
    log:
        f"logs/decode/{LABELS}.log",
    benchmark:
        f"benchmarks/decode/{LABELS}.tsv"
    wildcard_constraints:
        pair=PAIR,
    priority: in_order("decode")
    conda:
        "../../envs/workflow.yaml"
    threads: THREADS
    resources:
        cells_per_gpu=CELLS_PER_GPU,
        offload=OFFLOAD,
    params:
        params=params_of("decode"),
        inputs=options_of("decode"),
        cell=LABELS,
    shell:
        "exec python -m mtpeft decode --cell {params.cell:q} --params {params.params:q} --trained {input.trained:q} "
        "{params.inputs} --cells-per-gpu {resources.cells_per_gpu:q} --offload {resources.offload:q} "
        "--record {output.record:q} > {log:q} 2>&1"


use rule decode as decode_other with:
    input:
        inputs_of("decode", ON_OTHER),
        tuned=f"{CELL}/tuned",
        trained=f"{CELL}/train.json",
    output:
        hypotheses=directory(f"{OTHER}/hypotheses"),
        record=f"{OTHER}/decode.json",
    log:
        f"logs/decode_other/{LABELS}/{{other}}.log",
    benchmark:
        f"benchmarks/decode_other/{LABELS}/{{other}}.tsv"
    wildcard_constraints:
        pair=PAIR_OR_GROUP,
    priority: in_order("decode_other")
    params:
        params=params_of("decode", ON_OTHER),
        inputs=options_of("decode", ON_OTHER),
        cell=LABELS,

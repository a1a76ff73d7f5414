"""Decoding: one job per cell, all its test sets.

Needs: a cell's tuned/ and train.json, token arrays of the test sets.
Makes: results/cells/<six labels>/hypotheses/<test set>.txt and decode.json.
"""


rule decode:
    """Translate the test sets with the tuned model."""
    input:
        named_files(paths.decode_inputs),
        tuned=f"{CELL}/tuned",
        trained=f"{CELL}/train.json",
    output:
        hypotheses=directory(f"{CELL}/hypotheses"),
        record=f"{CELL}/decode.json",
    log:
        f"logs/decode/{LABELS}.log",
    benchmark:
        f"benchmarks/decode/{LABELS}.tsv"
    priority: in_order("decode")
    conda:
        "../../envs/workflow.yaml"
    threads: threads_of
    params:
        settings=told_cell("decode"),
        inputs=options(paths.decode_inputs),
        cell=LABELS,
    shell:
        "exec python -m mtpeft decode --cell {params.cell:q} --settings {params.settings:q} --trained {input.trained:q} "
        "{params.inputs} --record {output.record:q} > {log:q} 2>&1"

"""A decoder-only model that is trained on several pairs: each is decoded with its own prompt and its own parameters."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtpeft.cells import Cell
from mtpeft.core.files import read_lines, read_record, write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.data.token_arrays import read_arrays
from mtpeft.decoding.decode import decode
from mtpeft.decoding.search import translate
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.task_ids import set_task_ids
from mtpeft.models.tokenizer import detokenise, open_tokenizer, special_tokens_of
from mtpeft.training.finetune import finetune
from support.family import family_params
from support.group import GROUP, SIDES, group_inputs, group_params

SEARCH = {"beam_size": 1, "length_penalty": 1.0, "max_length_ratio": 0.5}
LANGUAGES = {side: [sides[side] for sides in SIDES.values()] for side in ("source", "target")}


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_each_pair_has_its_own_prompt_and_parameters(sweep: Path, tmp_path: Path, name: str) -> None:
    # Dev scores that all trained weights beat, so that they are what is kept.
    start = tmp_path / "start.json"
    write_record(start, {"dev_score": -1.0})
    given = group_inputs(name, sweep, tmp_path / "text")
    given = replace(given, start=start, others=tuple(replace(own, start=start) for own in given.others))
    params = group_params(family_params("full")) | {"method": {"method": "context_ia3", "languages": LANGUAGES}}
    params["optimisation"]["learning_rate"] = 0.3
    label, trained = Cell(name, GROUP, "n44", "context_ia3", "native", "1"), tmp_path / "cell/train.json"
    finetune(params, label, inputs=given, record=trained)
    checkpoint = Path(read_record(given.base)["folder"])
    model, found = open_tuned(checkpoint, trained.parent / "tuned").eval(), {}
    for number, (pair, own) in enumerate(zip(SIDES, given.pairs, strict=True)):
        record = trained.parent / "others" / pair / "decode.json"
        told = {"languages": SIDES[pair], "threads": 1, "search": SEARCH}
        decode(told, label, trained=trained, tests={"test": own.dev}, record=record)
        found[pair] = read_lines(record.parent / "hypotheses/test.txt")
        tokenizer = open_tokenizer(checkpoint, SIDES[pair], vocabulary=name)
        special_tokens = special_tokens_of(tokenizer, model.config)
        pairs = read_arrays(own.dev)
        sources = [pairs.source[row] for row in range(len(pairs.source))]
        assert tokenizer.pretrained.decode(sources[0]).count("Spanish") > 0
        by_id = []
        for task_id in (number, 1 - number):
            set_task_ids(model, task_id)
            alone = [
                translate(model, [source], DecodingOptions(**SEARCH), special_tokens=special_tokens)[0]
                for source in sources
            ]
            by_id.append([line.replace("\n", " ").replace("\r", " ") for line in detokenise(tokenizer, alone)])
        assert by_id[0] == found[pair]
        assert by_id[1] != found[pair]
    assert found["en-es"] != found["es-en"]
    assert torch.isfinite(next(model.parameters())).all()

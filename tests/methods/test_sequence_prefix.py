"""Prefixes in the sequence, on models of two layers: what is overwritten, what sees it, and where it has no room."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_lines
from mtpeft.core.options import DecodingOptions
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import read_arrays
from mtpeft.decoding.search import length_limits, translate
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.sequence_prefix_adapter import PrefixedLayer, reads_first, target_prefix_length
from mtpeft.models.load import parameters, prepare_torch
from mtpeft.training.finetune import require_room_for_prefix, save_tuned, training_texts
from support.method import FAMILIES, TWO_STACKS, Subject, batch, logits, sources, write_base
from support.model import inputs

OPTIONS = {"method": "sequence_prefix"}
NAME = "default"


@pytest.fixture(scope="module")
def subject_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Subject]:
    prepare_torch(1)
    return cache(lambda family: Subject(write_base(family, tmp_path_factory.mktemp(family), layers=2), OPTIONS, 0.03))


def stacks(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    return model.get_encoder(), model.get_decoder()


@pytest.mark.parametrize("family", TWO_STACKS)
def test_every_layer_trains_as_many_vectors_as_there_are_positions(
    subject_of: Callable[[str], Subject], family: str
) -> None:
    subject = subject_of(family)
    lengths = list(subject.allocation.sizes.values())
    d = subject.shape.d_model

    assert parameters(subject.start)[1] == subject.allocation.trained == 2 * d * sum(lengths)
    assert subject.allocation.left_over < 2 * d
    for stack, length in zip(stacks(subject.start.get_base_model()), lengths, strict=True):
        assert stack.seqprefix_embeddings[NAME].shape == (length, d)
        (layer,) = [own for own in stack.modules() if isinstance(own, PrefixedLayer)]
        assert layer.seqprefix_vectors[NAME].shape == (length, d)


@pytest.mark.parametrize("family", FAMILIES)
def test_all_that_is_trained_gets_a_gradient(subject_of: Callable[[str], Subject], family: str) -> None:
    model = subject_of(family).stirred()
    model(**batch(subject_of(family).special_tokens())).loss.backward()
    for name, weight in model.named_parameters():
        assert (weight.grad is not None and bool(weight.grad.any())) == weight.requires_grad, name


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_the_second_layer_reads_the_trained_prefix_and_the_text_of_the_first(
    subject_of: Callable[[str], Subject], family: str
) -> None:
    """Whatever the first layer makes of the prefix, the second reads its vectors, and behind them the text."""
    subject = subject_of(family)
    model = subject.trained
    read, made = {}, {}
    for side, stack in zip(("encoder", "decoder"), stacks(model.get_base_model()), strict=True):
        (layer,) = [own for own in stack.modules() if isinstance(own, PrefixedLayer)]
        layer.base_layer.register_forward_pre_hook(lambda _, args, side=side: read.update({side: args[0]}))
        layer.register_forward_pre_hook(lambda _, args, side=side: made.update({side: args[0]}))
        vectors = layer.seqprefix_vectors[NAME]
        logits(model, batch(subject.special_tokens()))
        length = len(vectors)
        assert torch.equal(read[side][:, :length], vectors.expand(len(read[side]), -1, -1))
        assert torch.equal(read[side][:, length:], made[side][:, length:])
        assert not torch.allclose(made[side][:, :length], vectors)


@pytest.mark.parametrize("family", TWO_STACKS)
@torch.inference_mode()
def test_search_with_a_cache_equals_the_model_without_one(subject_of: Callable[[str], Subject], family: str) -> None:
    subject = subject_of(family)
    model, special_tokens = subject.trained, subject.special_tokens()
    search = DecodingOptions(beam_size=1, length_penalty=1.0, max_length_ratio=1.0)
    for source, tokens in zip(
        sources(), translate(model, sources(), search, special_tokens=special_tokens), strict=True
    ):
        begun = torch.tensor([[*special_tokens.begin, *tokens]])
        alone = model(input_ids=source[None], decoder_input_ids=begun, use_cache=False).logits[0].argmax(-1)
        assert tokens == alone[: len(tokens)].tolist()
    with_cache, without = (
        model.generate(
            input_ids=sources()[0][None],
            num_beams=3,
            max_new_tokens=9,
            use_cache=use,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
        ).sequences_scores
        for use in (True, False)
    )
    torch.testing.assert_close(with_cache, without, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_base_is_there_again_and_what_is_stored_opens(
    subject_of: Callable[[str], Subject], tmp_path: Path, family: str
) -> None:
    subject = subject_of(family)
    model, inputs_ = subject.stirred(), batch(subject.special_tokens())
    plain = logits(subject.base_model, inputs_)
    opened = open_tuned(subject.base, save_tuned(model, tmp_path / "tuned", diverged=False)).eval()
    assert torch.equal(logits(opened, inputs_), logits(model, inputs_))
    with model.disable_adapter():
        assert torch.equal(logits(model, inputs_), plain)
    with pytest.raises(ValueError, match="can't be merged"):
        subject.stirred().merge_and_unload()
    bare = model.unload()
    assert torch.equal(logits(bare, inputs_), plain)
    assert [name for name, _ in bare.named_modules()] == [name for name, _ in subject.base_model.named_modules()]


@pytest.mark.parametrize("family", ["mbart", "t5"])
@torch.no_grad()
def test_networks_count_while_they_are_trained_and_are_folded_into_what_they_make(
    subject_of: Callable[[str], Subject], family: str
) -> None:
    plain = subject_of(family)
    subject = Subject(plain.base, {**OPTIONS, "network": 5}, 0.08)
    d, lengths = subject.shape.d_model, subject.allocation.sizes.values()
    model, inputs_ = subject.stirred(), batch(subject.special_tokens())
    assert parameters(model)[1] == subject.allocation.trained == 2 * d * sum(lengths) + 2 * (2 * d * 5 + 5 + d)
    before = logits(model, inputs_)
    finished = subject.finish(model)
    assert torch.equal(logits(finished, inputs_), before)
    assert parameters(finished)[1] == subject.stored == 2 * d * sum(lengths)


@torch.inference_mode()
def test_hypotheses_end_where_the_positions_do(subject_of: Callable[[str], Subject]) -> None:
    subject = subject_of("mbart")
    model, special_tokens = subject.trained, subject.special_tokens()
    length = target_prefix_length(model)
    assert length == list(subject.allocation.sizes.values())[1]
    assert target_prefix_length(subject.base_model) == 0
    search = DecodingOptions(beam_size=1, length_penalty=1.0, max_length_ratio=100.0)
    max_length = max(map(len, translate(model, sources(), search, special_tokens=special_tokens)))
    assert max_length <= length_limits(search, np.array([99]), special_tokens)[0] - length
    assert reads_first(None)


@pytest.mark.parametrize("room", [False, True])
def test_targets_without_room_behind_the_prefix_are_refused_before_the_first_update(
    subject_of: Callable[[str], Subject], sweep: Path, room: bool
) -> None:
    subject = subject_of("mbart")
    pairs, rows = read_arrays(inputs(sweep).train), read_lines(inputs(sweep).subset)
    max_length = max(len(pairs.target[int(row)]) for row in rows) + target_prefix_length(subject.start)
    special_tokens = replace(subject.special_tokens(), begin=(2,), max_length=max_length if room else max_length - 1)
    texts = training_texts(inputs(sweep), [special_tokens])
    if room:
        require_room_for_prefix(target_prefix_length(subject.start), texts)
        return
    with pytest.raises(UserError, match=r"A prefix of \d+ positions and a target of \d+ tokens don't fit into the \d+"):
        require_room_for_prefix(target_prefix_length(subject.start), texts)


@torch.no_grad()
def test_a_mask_of_the_target_leaves_the_prefix_seen(subject_of: Callable[[str], Subject]) -> None:
    subject = subject_of("mbart")
    targets = [torch.tensor([9, 8, 7]), torch.tensor([9, 8, 7])]
    given = dict(model_inputs(sources(2), targets, special_tokens=subject.special_tokens()))
    ones = torch.ones_like(given["decoder_input_ids"])
    masked = subject.trained(**given, decoder_attention_mask=ones, use_cache=False).logits
    torch.testing.assert_close(masked, logits(subject.trained, given))

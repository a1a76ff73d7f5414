"""Methods before the encoder's first layer, compared with the same by hand on the untouched model."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import nn

from mtpeft.core.options import DecodingOptions
from mtpeft.data.token_arrays import padded
from mtpeft.decoding.search import translate
from mtpeft.methods import METHODS, options_of
from mtpeft.methods.adalink_adapter import AdaLinkConfig
from mtpeft.methods.p_tuning import network_parameters
from mtpeft.methods.prompt_adapter import PromptConfig
from mtpeft.models.load import load_base, parameters, prepare_torch
from mtpeft.models.precision import BasePrecision
from mtpeft.training.finetune import save_tuned
from support.method import TWO_STACKS, Subject, batch, logits, sources, stir, write_base

PROMPT, PREFIX = {"method": "prompt"}, {"method": "sequence_prefix"}
DEPT = {"method": "dept", "prompt_tokens": 3, "max_length": 5, "low_rank_rate": 0.1}
P_TUNING = {"method": "p_tuning", "network": "lstm", "hidden": 4}
ADALINK = {"method": "adalink"}
SHARES = {"prompt": 0.01, "dept": 0.01, "p_tuning": 0.115, "adalink": 0.02, "sequence_prefix": 0.05}
POSITIONS = 64
WORDS = 30
"""Different words of a long source."""


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Mapping[str, Any]], Subject]:
    """A method on a tiny model of a family, which is made once."""
    prepare_torch(1)
    made: dict[str, Path] = {}

    def of(family: str, options: Mapping[str, Any]) -> Subject:
        if family not in made:
            made[family] = write_base(family, tmp_path_factory.mktemp(family))
        return Subject(made[family], options, SHARES[options["method"]])

    return of


def trained(model: nn.Module, piece: str) -> torch.Tensor:
    """The tensor that a method has trained under a name."""
    return next(tensor.detach() for name, tensor in model.named_parameters() if piece in name and tensor.requires_grad)


def by_hand(model: nn.Module, inputs: Mapping[str, torch.Tensor], embeddings: torch.Tensor) -> torch.Tensor:
    """Logits of the untouched model for these embeddings, of which those before the source are never masked."""
    before = embeddings.shape[1] - inputs["input_ids"].shape[1]
    seen = torch.ones(len(embeddings), before, dtype=torch.long)
    mask = torch.cat([seen, inputs["attention_mask"]], dim=1)
    with torch.no_grad():
        given = {"inputs_embeds": embeddings, "attention_mask": mask, "decoder_input_ids": inputs["decoder_input_ids"]}
        return model(**given, use_cache=False).logits


def looked_up(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Embeddings as the encoder reads them; of these families Marian alone is configured with a scale."""
    scale = math.sqrt(model.config.d_model) if getattr(model.config, "scale_embedding", False) else 1.0
    return model.get_input_embeddings().weight.detach()[tokens] * scale


@pytest.mark.parametrize("family", TWO_STACKS)
def test_a_prompt_is_vectors_before_those_of_the_source(subject: Any, family: str) -> None:
    one = subject(family, PROMPT)
    model, plain, inputs = one.stirred(), one.untouched(), batch(one.special_tokens())
    source = looked_up(plain, inputs["input_ids"])
    prompt = trained(model, "prompt_vectors").expand(len(source), -1, -1)
    torch.testing.assert_close(logits(model, inputs), by_hand(plain, inputs, torch.cat([prompt, source], dim=1)))


@pytest.mark.parametrize("family", ["m2m100", "marian", "t5"])
def test_dept_adds_a_product_to_the_first_positions_behind_its_prompt(subject: Any, family: str) -> None:
    one = subject(family, DEPT)
    model, plain, inputs = one.stirred(), one.untouched(), batch(one.special_tokens())
    source = looked_up(plain, inputs["input_ids"])
    shift = trained(model, "prompt_shift_positions") @ trained(model, "prompt_shift_directions")
    assert len(shift) == DEPT["max_length"] < source.shape[1]
    source[:, : len(shift)] += shift
    prompt = trained(model, "prompt_vectors").expand(len(source), -1, -1)
    assert prompt.shape[1] == DEPT["prompt_tokens"]
    torch.testing.assert_close(logits(model, inputs), by_hand(plain, inputs, torch.cat([prompt, source], dim=1)))


@pytest.mark.parametrize("family", ["m2m100", "marian", "t5"])
def test_adalink_adds_a_function_of_each_embedding(subject: Any, family: str) -> None:
    one = subject(family, ADALINK)
    model, plain, inputs = one.stirred(), one.untouched(), batch(one.special_tokens())
    source = looked_up(plain, inputs["input_ids"])
    link = (trained(model, "adalink_up") @ trained(model, "adalink_down")).T
    torch.testing.assert_close(logits(model, inputs), by_hand(plain, inputs, source + source @ link))


@pytest.mark.parametrize("options", [PROMPT, DEPT], ids=lambda options: options["method"])
def test_a_prompt_is_initialised_with_different_words(subject: Any, options: Mapping[str, Any]) -> None:
    one = subject("marian", options)
    prompt = trained(one.build(), "prompt_vectors")
    vocabulary = looked_up(one.untouched(), torch.arange(one.untouched().config.vocab_size))
    entries = [(vocabulary == vector).all(dim=1).nonzero().item() for vector in prompt]
    assert len(set(entries)) == len(prompt)
    assert min(entries) >= 4


def test_a_long_source_is_truncated_before_its_last_token(subject: Any) -> None:
    one = subject("mbart", PROMPT)
    model, plain, special_tokens = one.stirred(), one.untouched(), one.special_tokens()
    prompt = trained(model, "prompt_vectors")
    generator = torch.Generator().manual_seed(3)
    long, short = (torch.randint(6, 50, (length,), generator=generator) for length in (POSITIONS, 9))
    cut = torch.cat([long[: POSITIONS - len(prompt) - 1], long[-1:]])
    begin = torch.tensor([[2, 8, 9]] * 2)
    found, expected = (
        {"input_ids": ids, "attention_mask": (ids != special_tokens.pad).long(), "decoder_input_ids": begin}
        for ids in (padded([long, short], special_tokens.pad), padded([cut, short], special_tokens.pad))
    )
    embeddings = torch.cat([prompt.expand(2, -1, -1), looked_up(plain, expected["input_ids"])], dim=1)
    assert embeddings.shape[1] == POSITIONS
    torch.testing.assert_close(logits(model, found), by_hand(plain, expected, embeddings))


def test_relative_positions_leave_room_for_all(subject: Any) -> None:
    one = subject("t5", PROMPT)
    model, plain, special_tokens = one.stirred(), one.untouched(), one.special_tokens()
    ids = torch.arange(600)[None] % WORDS + 6
    inputs = {
        "input_ids": ids,
        "attention_mask": (ids != special_tokens.pad).long(),
        "decoder_input_ids": torch.tensor([[0]]),
    }
    embeddings = torch.cat([trained(model, "prompt_vectors")[None], looked_up(plain, ids)], dim=1)
    torch.testing.assert_close(logits(model, inputs), by_hand(plain, inputs, embeddings))


@pytest.mark.parametrize(
    ("family", "options"),
    [*((family, DEPT) for family in TWO_STACKS), ("llama", PROMPT), ("gemma2", PROMPT), ("gemma3", PREFIX)],
    ids=lambda own: own if isinstance(own, str) else own["method"],
)
def test_beams_of_a_batch_are_those_of_its_sentences(subject: Any, family: str, options: dict[str, Any]) -> None:
    one = subject(family, options)
    model, search = one.stirred(), DecodingOptions(beam_size=3, length_penalty=1.0, max_length_ratio=1.0)
    given = [*sources(), torch.arange(POSITIONS) % WORDS + 6]
    together = translate(model, given, search, special_tokens=one.special_tokens())
    assert together == [translate(model, [source], search, special_tokens=one.special_tokens())[0] for source in given]
    with model.disable_adapter():
        plain = translate(model, given, search, special_tokens=one.special_tokens())
    assert plain == translate(one.untouched(), given, search, special_tokens=one.special_tokens())


@pytest.mark.parametrize("network", ["mlp", "lstm"])
def test_a_prompt_is_stored_without_the_network_that_made_it(subject: Any, tmp_path: Path, network: str) -> None:
    one = subject("m2m100", {**P_TUNING, "network": network, "hidden": 4 if network == "lstm" else 18})
    model, inputs = one.stirred(), batch(one.special_tokens())
    before = logits(model, inputs)
    counted = network_parameters(one.shape.d_model, one.options.hidden, network)
    (tokens,) = one.allocation.sizes.values()
    assert one.allocation.trained == counted + tokens * one.shape.d_model == parameters(model)[1]
    folder = save_tuned(one.finish(model), tmp_path / "tuned", diverged=False)
    stored = METHODS["p_tuning"].stored_parameters(one.shape, one.options, one.allocation.sizes)
    assert [*map(torch.numel, load_file(folder / "adapter_model.safetensors").values())] == [stored]
    assert stored < one.allocation.trained
    opened = PeftModel.from_pretrained(one.untouched(), folder)
    torch.testing.assert_close(logits(opened, inputs), before)


@pytest.mark.parametrize(
    "options", [PROMPT, DEPT, P_TUNING, {"method": "adalink"}], ids=lambda options: options["method"]
)
def test_trained_weights_have_32_bits_beside_a_base_in_16_bits(
    subject: Any, tmp_path: Path, options: Mapping[str, Any]
) -> None:
    one = subject("marian", options)
    base = load_base(one.base, BasePrecision("mine", precision="bfloat16"))
    model = one.method.apply(base, one.allocation.sizes, one.options).eval()
    stir(model)
    output = model(**batch(one.special_tokens()))
    output.loss.backward()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in weights} == {torch.float32}
    assert all(weight.grad.abs().max() > 0 for weight in weights)
    assert output.logits.dtype == torch.bfloat16
    folder = save_tuned(one.finish(model), tmp_path / "tuned", diverged=False)
    stored = load_file(folder / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float32}
    again = PeftModel.from_pretrained(load_base(one.base, BasePrecision("mine", precision="bfloat16")), folder).eval()
    assert torch.equal(logits(again, batch(one.special_tokens())), logits(model, batch(one.special_tokens())))


def test_the_two_parts_of_dept_have_rates_of_their_own(subject: Any) -> None:
    names = [name for name, weight in subject("t5", DEPT).build().named_parameters() if weight.requires_grad]
    factors = {name.split(".")[-2]: METHODS["dept"].rate_factor(name, options_of(DEPT)) for name in names}
    assert factors == {"prompt_vectors": 1.0, "prompt_shift_positions": 0.1, "prompt_shift_directions": 0.1}


def test_the_encoder_and_the_decoder_must_be_named(subject: Any) -> None:
    for config in (PromptConfig(target_modules=["model.encoder"]), AdaLinkConfig(target_modules=["q_proj"])):
        with pytest.raises(ValueError, match="target_modules must name the encoder"):
            get_peft_model(subject("mbart", PROMPT).untouched(), config)

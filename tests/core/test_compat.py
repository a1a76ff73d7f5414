"""Every reach into the private parts of another library still finds them; where it does not, a sentence says so."""

import ast
import inspect
import itertools
import logging
import os
import re
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

from mtpeft.core import compat

ROOT = Path(__file__).parents[2]
SEEN = re.compile(r"Seen with (.+)\.$", flags=re.MULTILINE)


def pins() -> dict[str, str]:
    """Versions of the packages that are pinned for the workflow and for its tests."""
    lines = (line for file in (ROOT / "envs").glob("*.txt") for line in file.read_text(encoding="utf-8").splitlines())
    found = (re.match(r"([\w.-]+)==([^\s;+]+)", line) for line in lines)
    return {match[1].lower(): match[2] for match in found if match}


def entries() -> dict[str, str]:
    """The docstrings of all public functions and constants of the module by name."""
    body = ast.parse(Path(compat.__file__).read_text(encoding="utf-8")).body
    found = {
        node.name: ast.get_docstring(node) or "" for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    for constant, docstring in itertools.pairwise(body):
        if isinstance(constant, ast.Assign) and isinstance(docstring, ast.Expr):
            (name,) = constant.targets
            found[ast.unparse(name)] = inspect.cleandoc(str(ast.literal_eval(docstring.value)))
    return {name: text for name, text in found.items() if not name.startswith("_") and name not in HELPERS}


HELPERS = ("one_at_a_time",)
"""Functions that reach into nothing."""


@pytest.mark.parametrize("name", entries())
def test_each_reach_was_checked_with_the_versions_that_are_pinned(name: str) -> None:
    seen = SEEN.search(entries()[name])
    assert seen, f"compat.{name} does not say which version it was seen with; end its docstring with one."
    for package, version in (words.split() for words in seen[1].split(", ")):
        assert pins()[package] == version, (
            f"compat.{name} was last checked with {package} {version}, and {pins()[package]} is pinned; read what it "
            "reaches into, mend it, and write the new version into its docstring."
        )


def test_each_reach_is_used() -> None:
    files = [file for file in (ROOT / "workflow").rglob("*") if file.suffix in (".py", ".smk")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in (*files, ROOT / "Snakefile"))
    assert [name for name in entries() if f"compat.{name}" not in text and f"import {name}" not in text] == []


def test_polls_of_the_scheduler_do_not_multiply() -> None:
    planned: list[float] = []
    poll_after = compat.one_at_a_time(planned.append)
    for _ in range(3):
        poll_after(0.1)
    assert planned == [0.1]
    time.sleep(0.1)
    poll_after(0.2)
    assert planned == [0.1, 0.2]


def test_snakemakes_workflow_says_how_it_was_started() -> None:
    import snakemake.cli  # noqa: F401  loads Snakemake in the order that it needs
    from snakemake.workflow import Workflow

    lacking = {"is_main_process", "remote_exec", "local_exec", "overwrite_configfiles"}.difference(dir(Workflow))
    assert not lacking, f"Snakemake's workflow has no {lacking} any more; see what says the same now."
    assert "scheduler" in {field.name for field in fields(Workflow)} | set(dir(Workflow)), (
        "Snakemake's workflow does not hold its scheduler any more; see where it is in `onstart`."
    )


def test_snakemake_plans_polls_as_it_did() -> None:
    import snakemake.cli  # noqa: F401
    from snakemake.scheduling.job_scheduler import JobScheduler

    assert "job_rate_limiter" in inspect.getsource(JobScheduler.__init__), (
        "Snakemake's scheduler has no job_rate_limiter any more; see whether the limit still multiplies its polls."
    )
    assert "if self.job_rate_limiter is not None" in inspect.getsource(JobScheduler.schedule), (
        "Snakemake's scheduler does not plan a poll after each poll any more; limit_scheduler_polls may go."
    )
    assert list(inspect.signature(JobScheduler._schedule_reevalutation).parameters) == ["self", "delay"], (
        "Snakemake plans the next poll of its scheduler in another way; see what limit_scheduler_polls has to replace."
    )


def test_slurm_jobs_are_named_as_they_were() -> None:
    import snakemake_executor_plugin_slurm as plugin

    source = inspect.getsource(plugin)
    assert "self.run_uuid = str(uuid.uuid4())" in source, "The plugin for SLURM names its jobs by something else now."
    assert 'comment_str = f"rule_{' in source, "The comments of SLURM jobs begin with something else now."
    name = "mtpeft_8b7f4bd2-6c1e-4a3c-9a34-5a1d0c9a7c11"
    assert compat.SLURM_JOB_NAME.fullmatch(name)
    assert compat.SLURM_JOB_NAME.fullmatch(name.removeprefix("mtpeft_"))
    assert not compat.SLURM_JOB_NAME.fullmatch("mine")


def test_snakemake_tells_its_jobs_what_to_make_as_it_did() -> None:
    from snakemake_interface_executor_plugins.utils import TargetSpec, encode_target_jobs_cli_args

    written = encode_target_jobs_cli_args([TargetSpec("train", {"model": "small", "pair": "es-en"})])
    script = f"#!/bin/sh\npython -m snakemake --target-jobs {' '.join(written)} --cores 1\n"
    assert compat.targets_of_script(script) == [("train", {"model": "small", "pair": "es-en"})], (
        "Snakemake writes --target-jobs otherwise; targets_of_script has to read that."
    )


def test_torch_knows_a_bad_fork() -> None:
    import torch

    assert hasattr(torch.cuda, "_is_in_bad_fork"), "torch does not say any more whether CUDA was lost by a fork."
    assert compat.cuda_is_lost_by_fork() is False


def test_accelerate_parses_its_command_line_when_it_is_called() -> None:
    given = compat.launcher_arguments(["--num_processes", "2", "--module", "mtpeft", "train", "--params", "{}"])
    assert (given.num_processes, given.module, given.training_script) == (2, True, "mtpeft"), (
        "accelerate's launcher has other options; see what launcher_arguments has to give."
    )
    assert given.training_script_args == ["train", "--params", "{}"]


def test_torchrun_reads_its_options_from_the_environment() -> None:
    from torch.distributed.run import get_args_parser

    (option,) = [one for one in get_args_parser()._actions if "--signals-to-handle" in one.option_strings]
    assert type(option).__name__ == "env", "torchrun does not read PET_SIGNALS_TO_HANDLE any more."


def test_transformers_compiles_patterns_of_weights_once() -> None:
    compat.compile_weight_patterns()
    from transformers import conversion_mapping

    assert conversion_mapping._checkpoint_conversion_mapping_cache, (
        "transformers keeps no compiled patterns any more; compile_weight_patterns may go."
    )


def test_sinusoidal_positions_bear_the_word() -> None:
    from torch import nn
    from transformers.models.marian import modeling_marian

    table = next((kind for name, kind in vars(modeling_marian).items() if "Sinusoidal" in name), None)
    assert table, "Marian's positions have another name; see what tells tables that are computed."
    assert compat.is_sinusoidal(table(8, 4))
    assert not compat.is_sinusoidal(nn.Embedding(8, 4))


@pytest.mark.parametrize("family", ["mbart", "m2m_100", "marian"])
def test_families_have_an_eager_attention(family: str) -> None:
    from importlib import import_module

    module = import_module(f"transformers.models.{family}.modeling_{family}")
    attention = next(kind for name, kind in vars(module).items() if name.endswith("Attention"))
    found = compat.eager_attention(attention(embed_dim=4, num_heads=2))
    assert callable(found), f"{family} has no function of its own for eager attention any more."


def test_a_tokenizer_is_made_with_the_normalisation_of_sentencepiece() -> None:
    from transformers import MBart50Tokenizer

    assert "_spm_precompiled_charsmap" in inspect.signature(MBart50Tokenizer).parameters, (
        "MBart50Tokenizer takes the normalisation of sentencepiece in another way."
    )


def test_four_bit_layers_can_be_kept_from_their_other_kernel() -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    layer = bitsandbytes.nn.Linear4bit(8, 8)
    assert hasattr(layer, "support_avx512bf16_for_cpu"), (
        "bitsandbytes chooses the kernel of 4-bit layers otherwise; see whether evaluation still differs from training."
    )
    layer.support_avx512bf16_for_cpu = True
    compat.keep_four_bit_kernel(layer)
    assert layer.support_avx512bf16_for_cpu is False


def test_eight_bit_layers_log_their_casts_where_they_did() -> None:
    functions = pytest.importorskip("bitsandbytes.autograd._functions")
    assert functions.logger.name == "bitsandbytes.autograd._functions", "bitsandbytes logs casts by another logger."
    before = functions.logger.level
    try:
        compat.silence_eight_bit_casts()
        assert not functions.logger.isEnabledFor(logging.WARNING)
    finally:
        functions.logger.setLevel(before)


def test_peft_finds_adapters_by_plain_text() -> None:
    from peft import PeftType, mapping
    from peft.tuners.lora import LoraModel

    tables = [f"PEFT_TYPE_TO_{of}_MAPPING" for of in ("CONFIG", "TUNER", "PREFIX")]
    assert all(isinstance(getattr(mapping, table, None), dict) for table in tables), (
        "peft keeps its types of adapter elsewhere; see where register_adapter has to write."
    )
    assert compat.registered_adapter("LORA") == compat.registered_adapter(PeftType.LORA), (
        "peft does not compare its types of adapter as text any more."
    )
    compat.register_adapter("OF_A_TEST", dict, LoraModel)
    try:
        assert compat.registered_adapter("OF_A_TEST") == (dict, LoraModel)
    finally:
        for table in tables:
            getattr(mapping, table).pop("OF_A_TEST")


def test_peft_calls_the_functions_that_adapters_override() -> None:
    from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer

    expected = {
        "_create_and_replace": "peft_config adapter_name target target_name parent current_key parameter_name",
        "_prepare_adapter_config": "peft_config model_config",
        "_replace_module": "parent child_name new_module child",
    }
    for name, arguments in expected.items():
        found = list(inspect.signature(getattr(BaseTuner, name)).parameters)
        assert found == ["self", *arguments.split()], f"peft's BaseTuner.{name} takes {found}; see AdapterModel."
    source = inspect.getsource(BaseTuner.inject_adapter)
    assert "self._prepare_adapter_config(" in source, "peft prepares configurations elsewhere; see AdapterModel."
    assert "self._create_and_replace(" in source, "peft puts adapters in elsewhere; see AdapterModel."
    for name in ("_disable_adapters", "_active_adapter"):
        assert hasattr(BaseTunerLayer, name), f"peft's layers have no {name} any more; see WrapperLayer."


def test_peft_keeps_buffers_by_adapter() -> None:
    import torch

    buffers = compat.buffers_by_adapter()
    buffers["one"] = torch.ones(2)
    assert "one" in buffers.state_dict(), "peft's BufferDict does not store its buffers any more."


def test_peft_trains_a_module_beside_an_adapter_and_forgets_adapters() -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import MarianConfig, MarianMTModel

    sizes = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 12, "pad_token_id": 0}
    heads = {f"{side}_attention_heads": 2 for side in ("encoder", "decoder")}
    widths = {f"{side}_ffn_dim": 8 for side in ("encoder", "decoder")}
    base = MarianMTModel(MarianConfig(**sizes, **heads, **widths, decoder_start_token_id=0))
    model = get_peft_model(base, LoraConfig(target_modules=["q_proj"]))
    compat.train_beside(model, "fc1")
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert any("fc1.modules_to_save" in name for name in trained), "peft trains modules beside adapters otherwise."
    assert hasattr(base, "peft_config"), "peft leaves no configuration at the base; forget_adapters may go."
    compat.forget_adapters(base)
    assert not hasattr(base, "peft_config")


def test_pefts_rank_allocator_is_as_its_subclass_expects() -> None:
    from peft.tuners.adalora import RankAllocator, SVDLinear

    source = inspect.getsource(RankAllocator)
    for name in ("_set_budget_scheduler", "mask_to_budget", "_element_score", "update_and_allocate", "budget_schedule"):
        assert f"def {name}(" in source, f"peft's RankAllocator has no {name} any more; see ExactAllocator."
    for name in ("ipt", "exp_avg_ipt", "exp_avg_unc", "init_bgt", "target_bgt"):
        assert f"self.{name} =" in source, f"peft's RankAllocator has no {name} any more; see RankAllocation."
    layer = inspect.getsource(SVDLinear.__mro__[1]) + inspect.getsource(inspect.getmodule(SVDLinear))
    for name in ("lora_E", "lora_A", "lora_B", "ranknum"):
        assert f"self.{name} = nn.ParameterDict" in layer, f"peft's AdaLoRA layers have no {name} any more."


def test_our_adapters_follow_the_import_of_peft() -> None:
    program = "import mtpeft, sys; assert 'peft' not in sys.modules; import peft.mapping as m; "
    program += "print('BOTTLENECK' in m.PEFT_TYPE_TO_TUNER_MAPPING)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True", "Adapters are not registered any more when peft is imported."


def test_attention_modules_say_their_implementation() -> None:
    from transformers import MBartConfig
    from transformers.models.mbart.modeling_mbart import MBartAttention

    config = MBartConfig(d_model=4, encoder_attention_heads=2, attn_implementation="eager")
    attention = MBartAttention(embed_dim=4, num_heads=2, config=config)
    assert compat.attention_implementation(attention) == "eager", (
        "transformers says the implementation of attention elsewhere."
    )


@pytest.mark.parametrize("name", ["BLEU", "CHRF", "TER"])
def test_sacrebleu_sums_up_counts_of_sentences(name: str) -> None:
    from sacrebleu import metrics

    scorer = getattr(metrics, name)()
    hypotheses, references = ["the cat sat on the mat", "a dog"], ["the cat sat on a mat", "the dog"]
    statistics = compat.sentence_statistics(scorer, hypotheses, references)
    assert len(statistics) == len(hypotheses), "sacreBLEU has another form of counts; see what can be resampled."
    public = scorer.corpus_score(hypotheses, [references]).score
    assert compat.corpus_score(scorer, statistics) == pytest.approx(public), (
        "The counts of sentences do not give sacreBLEU's own score any more."
    )

"""Reaches into the private parts of other libraries, all of them in one place.

Each entry says why it is needed, what the public way would be, and with which version it was last checked. A test in
tests/core/test_compat.py belongs to each, and fails with a sentence when the library has changed; another compares the
versions with the pins in envs/. After an upgrade, read the entries of the library, mend them, and raise their versions.

No library is imported before a function that needs it is called. Two classes override private methods of peft and
can't stand here: `AdapterModel` in methods/base_adapter.py, from which all adapters derive, and `ExactAllocator` in
methods/peft/adalora_adapter.py. `core/peft_hook.py` follows the import of peft. All three have their tests there, too.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from peft import PeftModel
    from sacrebleu.metrics.base import Metric
    from torch import nn
    from transformers import MBart50Tokenizer

# ---------------------------------------------------------------- Snakemake


def is_main_process(workflow: Any) -> bool:
    """Whether this Snakemake is the one that a user or a sweep has started, and none of its jobs.

    Why: the main process alone takes the folder lock and compares files with records; its jobs read the Snakefile too.
    Public way: none; what a Snakefile may ask of `workflow` is written down for a few attributes, not for its mode.
    Seen with snakemake 9.27.1.
    """
    return workflow.is_main_process


def is_submitted_job(workflow: Any) -> bool:
    """Whether this Snakemake runs a job that another one has submitted to a cluster.

    Why: such a job may be put back into the queue, and has to leave SLURM's signals to the trainer.
    Public way: none, as for `is_main_process`.
    Seen with snakemake 9.27.1.
    """
    return workflow.remote_exec


def runs_jobs_here(workflow: Any) -> bool:
    """Whether the jobs of this Snakemake run on this machine.

    Why: jobs on a cluster outlive the Snakemake that submitted them, so the folder lock has to remember them.
    Public way: none, as for `is_main_process`.
    Seen with snakemake 9.27.1.
    """
    return workflow.local_exec


def given_config_files(workflow: Any) -> list[str]:
    """The files that were given by `--configfile`, in their order.

    Why: they say which study this is, and where its results lie.
    Public way: `workflow.configfiles`, which has the project's own config.yaml too.
    Seen with snakemake 9.27.1.
    """
    return workflow.overwrite_configfiles


def limit_scheduler_polls(workflow: Any) -> None:
    """Keep Snakemake's scheduler from going through all ready jobs more and more often; to be called in `onstart`.

    Why: the scheduler limits how many jobs it starts in a timespan. After each look at the ready jobs it plans another
    look one timespan later, and every job that ends adds a look of its own, from which such a chain begins too. After
    a hundred jobs this takes one of two cores. Jobs on this machine need no such limit; for a cluster one planned look
    at a time will do.
    Public way: none; `max-jobs-per-timespan` always has a value (100/1s by default), and a long timespan delays the end
    of Snakemake, which waits for the timers.
    Seen with snakemake 9.27.1.
    """
    scheduler = workflow.scheduler
    if runs_jobs_here(workflow):
        scheduler.job_rate_limiter = None
    else:
        scheduler._schedule_reevalutation = one_at_a_time(scheduler._schedule_reevalutation)


def one_at_a_time(poll_after: Callable[[float], None]) -> Callable[[float], None]:
    """A function that plans a poll after so many seconds, unless one is planned already."""
    due = 0.0

    def poll_once_after(seconds: float) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + seconds
            poll_after(seconds)

    return poll_once_after


SLURM_JOB_NAME = re.compile(r"(.+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The name that Snakemake gives to all SLURM jobs of a run: a UUID, behind the prefix of the profile if it has one.

Why: the next start has to find jobs of a killed run among those that the user has submitted by hand.
Public way: the setting `slurm-jobname-prefix` alone, which a profile may leave out.
Seen with snakemake-executor-plugin-slurm 2.8.0.
"""
SLURM_COMMENT = "rule_"
"""Prefix of the comment of a SLURM job of Snakemake; its rule follows. Why and public way: as `SLURM_JOB_NAME`.

Seen with snakemake-executor-plugin-slurm 2.8.0.
"""


def targets_of_script(script: str) -> list[tuple[str, dict[str, str]]]:
    """The rule and the wildcards of everything that a SLURM job makes, read from its script.

    Why: a job of a group makes several things, of which its comment names the first.
    Public way: none; the option `--target-jobs` in the script is marked as internal in Snakemake's help.
    Seen with snakemake-executor-plugin-slurm 2.8.0.
    """
    import shlex

    try:
        words = iter(shlex.split(script, comments=True))
    except ValueError:
        return []  # no script of Snakemake's
    if "--target-jobs" not in words:
        return []
    found = []
    for word in words:
        if word.startswith("--"):
            break
        rule, _, wildcards = word.partition(":")
        found.append((rule, dict(re.findall(r'(\w+)="?([^,"]*)"?', wildcards))))
    return found


# ---------------------------------------------------------------- torch, accelerate


def cuda_is_lost_by_fork() -> bool:
    """Whether CUDA was initialised before this process was forked, so that it can use no GPU.

    Why: a fork server must not hand such a process to a step, which would train without a GPU and say nothing.
    Public way: none; `torch.cuda.is_available()` says False in such a process, as on a machine without a GPU.
    Seen with torch 2.13.0.
    """
    # A process without torch, such as that of a metric that needs none, can have initialised nothing.
    return "torch" in sys.modules and sys.modules["torch"].cuda._is_in_bad_fork()


def launcher_arguments(arguments: Sequence[str]) -> "Namespace":
    """Parse the command line of `accelerate launch`.

    Why: it is called within this process, so that the ranks are children of the step and get its signals.
    Public way: the command `accelerate launch`, which would put one more process between the step and its ranks.
    Seen with accelerate 1.15.0.
    """
    from accelerate.commands.launch import launch_command_parser

    return launch_command_parser().parse_args(arguments)


def launch_ranks(given: "Namespace") -> None:
    """Start the ranks and wait for them, leaving to us the signals that ask a step to stop.

    Why: torch's launcher would kill the ranks when a signal comes, and would log again what a rank has said already.
    Public way: `torchrun --signals-to-handle`, which accelerate does not pass on; torchrun documents the variable.
    Seen with torch 2.13.0, accelerate 1.15.0.
    """
    import logging

    from accelerate.commands.launch import launch_command

    os.environ["PET_SIGNALS_TO_HANDLE"] = "SIGHUP"
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    launch_command(given)


# ---------------------------------------------------------------- transformers, bitsandbytes


def compile_weight_patterns() -> None:
    """Have transformers compile its patterns for the names of weights, which it keeps.

    Why: a fork server does this once, where each of its forks would take half a second for it.
    Public way: loading a model, which has weights to read.
    Seen with transformers 5.23.0.
    """
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    get_checkpoint_conversion_mapping("mbart")


def is_sinusoidal(module: "nn.Module") -> bool:
    """Whether a module is a table of sinusoidal positions, which is computed and never learnt.

    Why: Marian holds it as a parameter, which must not count as one that a method could train.
    Public way: none; the families have classes of their own, which have this word in common.
    Seen with transformers 5.23.0.
    """
    return "Sinusoidal" in type(module).__name__


def eager_attention(attention: "nn.Module") -> Callable[..., Any]:
    """The attention function that a module's family calls where no other implementation is asked for.

    Why: prefixes are added around the attention that the model would have used.
    Public way: `ALL_ATTENTION_FUNCTIONS`, which has all implementations but this one.
    Seen with transformers 5.23.0.
    """
    return sys.modules[type(attention).__module__].eager_attention_forward


def mbart50_tokenizer(
    pieces: Sequence[tuple[str, float]], *, normalisation: bytes, extra_tokens: Iterable[str]
) -> "MBart50Tokenizer":
    """A tokenizer of mBART-50 made of sentencepiece's pieces and their scores, with sentencepiece's own normalisation.

    Why: its files would have to be written in the old format and converted.
    Public way: none that keeps the normalisation; the argument for it is private.
    Seen with transformers 5.23.0.
    """
    from transformers import MBart50Tokenizer

    return MBart50Tokenizer(
        vocab=list(pieces),
        _spm_precompiled_charsmap=normalisation or None,
        additional_special_tokens=list(extra_tokens),
    )


def keep_four_bit_kernel(model: "nn.Module") -> None:
    """Have 4-bit layers compute the same in evaluation as in training.

    Why: on processors with instructions for 16-bit floats they turn to another kernel in evaluation, which rounds to
    these, packs the weights anew for good and has no gradient, so that nothing could be trained after the first
    evaluation.
    Public way: none.
    Seen with bitsandbytes 0.50.2.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def silence_eight_bit_casts() -> None:
    """Keep 8-bit layers from logging at every call that their inputs become 16-bit floats, as their method says.

    Public way: none; the logger is that of a private module.
    Seen with bitsandbytes 0.50.2.
    """
    import logging

    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)


# ---------------------------------------------------------------- peft


def register_adapter(adapter_type: str, config: type, adapter: type) -> None:
    """Let `get_peft_model` and `PeftModel.from_pretrained` find an adapter by the `peft_type` of its configuration.

    Why: adapters of this package are peft folders, which peft itself opens.
    Public way: `peft.utils.register_peft_method`, which takes only the types of peft's own enumeration.
    Seen with peft 0.21.2.
    """
    from peft import mapping

    mapping.PEFT_TYPE_TO_CONFIG_MAPPING[adapter_type] = config
    mapping.PEFT_TYPE_TO_TUNER_MAPPING[adapter_type] = adapter
    mapping.PEFT_TYPE_TO_PREFIX_MAPPING[adapter_type] = adapter.prefix


def registered_adapter(adapter_type: str) -> tuple[type, type]:
    """Types of the configuration and of the model of an adapter that is registered with peft.

    Why: peft's own tuners are given a size for each module, whatever their classes are called.
    Public way: none.
    Seen with peft 0.21.2.
    """
    from peft import mapping

    return mapping.PEFT_TYPE_TO_CONFIG_MAPPING[adapter_type], mapping.PEFT_TYPE_TO_TUNER_MAPPING[adapter_type]


def buffers_by_adapter() -> "nn.Module":
    """Buffers of a layer by the name of their adapter, which peft stores and moves with its weights.

    Why: an adapter whose trained weights are single entries has to store where they stand.
    Public way: none; the class is in a private module.
    Seen with peft 0.21.2.
    """
    from peft.tuners._buffer_dict import BufferDict

    return BufferDict(persistent=True)


def train_beside(model: "PeftModel", module: str) -> None:
    """Have an adapter train and store a module of the base model whole, after it was put into the model.

    Why: the rows of new vocabulary entries are split from the embeddings of any method, staged ones too.
    Public way: `modules_to_save` of a configuration, before the adapter is put into the model.
    Seen with peft 0.21.2.
    """
    from peft.utils.other import set_additional_trainable_modules

    adapter = model.active_adapter
    config = model.peft_config[adapter]
    config.modules_to_save = [module]
    shape = model.base_model.model.config.to_dict()
    set_additional_trainable_modules(model.base_model, config, model_config=shape, adapter_name=adapter)


def forget_adapters(model: "nn.Module") -> None:
    """Let peft put a second adapter of another kind around a base model, as if it had none.

    Why: peft takes the configuration that it leaves there for an adapter of the same kind, and would overwrite it.
    Public way: unloading the adapter, which stages that are trained together must not do.
    Seen with peft 0.21.2.
    """
    del model.peft_config


def attention_implementation(attention: "nn.Module") -> str:
    """Name of the implementation that an attention module calls.

    Why: a prefix is put before the keys and values of the implementation that the model would have used.
    Public way: none; the attribute is private, although its setter is not.
    Seen with transformers 5.23.0.
    """
    return attention.config._attn_implementation


# ---------------------------------------------------------------- sacreBLEU


def sentence_statistics(
    scorer: "Metric", hypotheses: Sequence[str], references: Sequence[str]
) -> list[list[int | float]]:
    """One row of counts for each sentence, which sacreBLEU sums up before it computes a corpus score.

    Why: with the counts a resampled test set is scored by a sum; else every resample would be tokenized anew.
    Public way: none; `corpus_score` returns the sums alone.
    Seen with sacrebleu 2.6.0.
    """
    return scorer._extract_corpus_statistics(hypotheses, [references])


def corpus_score(scorer: "Metric", statistics: Sequence[Sequence[int | float]]) -> float:
    """The score of a corpus, given the counts of its sentences; why and public way as for `sentence_statistics`.

    Seen with sacrebleu 2.6.0.
    """
    return scorer._aggregate_and_compute(statistics).score

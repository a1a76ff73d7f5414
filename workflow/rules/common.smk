"""What all rules share: the checked configuration, and paths and settings as functions of wildcards.

Every function here is glue of a line or two; the logic is in the package, which never imports Snakemake. Nothing
heavy is imported, since every job of a cluster parses this file again.
"""

import os
import sys
from functools import partial
from inspect import Parameter, Signature

from snakemake.logging import logger

# The package is found whether it is installed or not.
sys.path.insert(0, f"{workflow.basedir}/workflow")

from mtpeft.cells import CELL_TEMPLATE as CELL
from mtpeft.cells import LABELS_TEMPLATE as LABELS
from mtpeft.cells import OTHER_TEMPLATE as OTHER
from mtpeft.config import comet_settings, corpus_settings, finding_paths, folders, pairs, labels
from mtpeft.config import model_paths, order, others, paths
from mtpeft.config import recipes, representations, settings
from mtpeft.cluster import folder_lock
from mtpeft.cluster.environment import share_python
from mtpeft.config.load import read_yaml, validate
from mtpeft.config.study_file import study_name
from mtpeft.core import compat
from mtpeft.core.errors import UserError
from mtpeft.front import verify
from mtpeft.front.study_records import begin_study, configuration_hash
from mtpeft.core.files import canonical

try:
    # A sweep has read the files before; Snakemake has read those that it was given, but takes what it can't understand.
    if compat.is_main_process(workflow) and folder_lock.LOCK_VARIABLE not in os.environ:
        for file in workflow.overwrite_configfiles:
            read_yaml(file)
    CONFIGURATION = validate(config).named(study_name(workflow.overwrite_configfiles))
except UserError as error:
    raise WorkflowError(str(error)) from None

share_python(submitted=compat.is_submitted_job(workflow))

if compat.is_main_process(workflow) and (refusal := folder_lock.why_not_free()):
    logger.warning(refusal)

FIRST = order.FIRST
PLACES = order.places(CONFIGURATION)
# In the folders of cells, pairs have their label alone.
PAIR, PAIR_OR_GROUP = paths.any_of(CONFIGURATION.pairs), pairs.groups_pattern(CONFIGURATION)
# Tables, figures and findings of these configuration files, and the logs of what makes them.
RESULTS, STUDY_FILE = folders.results_folder(CONFIGURATION), CONFIGURATION.study_file


def of_wildcards(function):
    """The function of the labels in the wildcards, which say a digest besides where they name a folder.

    It says at once what it takes: Snakemake asks twice at each call, and else looks for it anew.
    """

    def of_labels(wildcards):
        return function(labels.labels_in(CONFIGURATION, wildcards))

    of_labels.__signature__ = Signature([Parameter("wildcards", Parameter.POSITIONAL_OR_KEYWORD)])
    return of_labels


def settings_of(step):
    """The function that resolves the settings of a step."""
    modules = (settings, corpus_settings, comet_settings)
    return next(getattr(module, f"{step}_settings") for module in modules if hasattr(module, f"{step}_settings"))


def told(step, *names):
    """Params function: settings of a step for the wildcards named, as one line of JSON."""
    resolve = settings_of(step)
    return of_wildcards(lambda wildcards: canonical(resolve(CONFIGURATION, *(wildcards[name] for name in names))))


def told_cell(step):
    """Params function: settings of a step for the cell of the wildcards."""
    resolve = settings_of(step)
    return of_wildcards(lambda wildcards: canonical(resolve(CONFIGURATION, paths.cell_of(wildcards))))


def files(function):
    """Input function: paths that depend on the configuration and the wildcards."""
    return of_wildcards(lambda wildcards: function(CONFIGURATION, wildcards))


def options(function):
    """Params function: named paths as options of a command, quoted for the shell."""
    return of_wildcards(lambda wildcards: paths.as_options(function(CONFIGURATION, wildcards)))


def named_files(function):
    """Input function for paths with names, all of them in one list."""
    return of_wildcards(lambda wildcards: paths.flat(function(CONFIGURATION, wildcards)))


def on_other(function):
    """Input or params function: the same for the other pair that a cell is scored on, in the place of its own."""
    return of_wildcards(lambda wildcards: function(others.on_other(CONFIGURATION, wildcards)))


def in_order(step):
    """Priority function: when a step of a cell, or of a class of cells, has its turn."""
    return of_wildcards(lambda wildcards: order.priority(PLACES, step, wildcards))


def of_model(function):
    """Function of the wildcards; where all models have the same, that, so that Snakemake need not ask for each job."""
    found = {function(CONFIGURATION, {"model": label}) for label in CONFIGURATION.models}
    return found.pop() if len(found) == 1 else of_wildcards(lambda wildcards: function(CONFIGURATION, wildcards))


# Threads are a setting of the model, so Snakemake follows it and not the reverse; processes that train together have so
# many each.
THREADS = of_model(model_paths.threads)
TRAINING_THREADS = of_model(model_paths.training_threads)
# These are told as resources, since no result depends on them, as on `params`.
CELLS_PER_GPU = of_model(model_paths.cells_per_gpu)
PROCESSES, MICRO_BATCH_TOKENS, SHARDED = (
    of_model(partial(model_paths.execution, key=key)) for key in ("gpus", "micro_batch_tokens", "sharded")
)


def lock_folder():
    """Let no second sweep into this folder while this Snakemake lives, and record what this study file makes."""
    try:
        cluster = not compat.runs_jobs_here(workflow)
        folder_lock.lock_folder_until_exit(configuration_hash(CONFIGURATION), cluster=cluster)
        for line in begin_study(CONFIGURATION, workflow.overwrite_configfiles):
            logger.warning(line)
    except UserError as error:
        raise WorkflowError(str(error)) from None

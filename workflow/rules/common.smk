"""Glue that all rules share: the checked configuration, and params and inputs of steps as functions of wildcards.

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
from mtpeft.cells import EXPERTS_TEMPLATE as EXPERTS
from mtpeft.cells import OTHER_TEMPLATE as OTHER
from mtpeft.cells import SERVED_TEMPLATE as SERVED
from mtpeft.cluster import folder_lock
from mtpeft.cluster.environment import share_python
from mtpeft.config.load import read_yaml, validate
from mtpeft.config.pairs import groups_pattern
from mtpeft.config.studies import EFFICIENCY
from mtpeft.config.study_file import study_name
from mtpeft.core import compat
from mtpeft.core.errors import UserError
from mtpeft.core.provenance import versions
from mtpeft.front import verify
from mtpeft.front.study_records import begin_study, configuration_hash
from mtpeft.steps import base_models, cells_of_studies, decontaminate_pair, draw_figure, encode_pair, install_metric
from mtpeft.steps import install_mtdata, paths, pretrain, score_with_metric, take_in_metric, write_report_table
from mtpeft.steps.cells_of_studies import FIRST
from mtpeft.steps.command import as_options, params_argument
from mtpeft.steps.step import STEPS, flat

try:
    # Check the files as a sweep does; Snakemake accepts YAML that it misreads.
    if compat.is_main_process(workflow) and folder_lock.LOCK_VARIABLE not in os.environ:
        for file in compat.given_config_files(workflow):
            read_yaml(file)
    CONFIGURATION = validate(config).named(study_name(compat.given_config_files(workflow)))
except UserError as error:
    raise WorkflowError(str(error)) from None

share_python(submitted=compat.is_submitted_job(workflow))

if compat.is_main_process(workflow) and (refusal := folder_lock.why_not_free()):
    logger.warning(refusal)

PLACES = cells_of_studies.places(CONFIGURATION)
# In the folders of cells, pairs have their label alone.
PAIR, PAIR_OR_GROUP = paths.any_of(CONFIGURATION.pairs), groups_pattern(CONFIGURATION)
# The folder of tables, figures and findings of these configuration files, and the name in the paths of their logs.
RESULTS, STUDY_FILE = cells_of_studies.results_folder(CONFIGURATION), CONFIGURATION.study_file


def of_labels(function):
    """The function of the labels in the wildcards, without the digests in names of folders.

    The signature is declared, since Snakemake inspects it at every call.
    """

    def of_wildcards(wildcards):
        return function(paths.labels_in(CONFIGURATION, wildcards))

    of_wildcards.__signature__ = Signature([Parameter("wildcards", Parameter.POSITIONAL_OR_KEYWORD)])
    return of_wildcards


def params_of(step, labels=dict):
    """Params function: params of a step, as one line of JSON or, where they grow with the study, as a file of it."""
    return of_labels(lambda wildcards: params_argument(CONFIGURATION, STEPS[step], labels(wildcards)))


def inputs_of(step, labels=dict):
    """Input function: all input files of a step."""
    return of_labels(lambda wildcards: flat(STEPS[step].inputs_of(CONFIGURATION, labels(wildcards))))


def options_of(step, labels=dict):
    """Params function: the input files of a step as options of its command, quoted for the shell."""
    return of_labels(lambda wildcards: as_options(STEPS[step], STEPS[step].inputs_of(CONFIGURATION, labels(wildcards))))


# Labels of a cell with the other pair that it is scored on in the place of its own, and of tables of all cells.
ON_OTHER = partial(paths.on_other, CONFIGURATION)
ALL_CELLS = lambda labels: {"study": EFFICIENCY}

# Ancient, since the pins of the environment are among the params of cells: making it again reruns nothing.
ENVIRONMENT_OF_METRIC = ancient(of_labels(lambda labels: install_metric.record(labels["metric"])))


def in_order(step):
    """Priority function of a step of a cell, or of a search for a learning rate."""
    return of_labels(lambda labels: cells_of_studies.priority(PLACES, step, labels))


def of_model(function):
    """Function of the wildcards, or a constant if all models agree, so that Snakemake need not call it for each job."""
    found = {function(CONFIGURATION, label) for label in CONFIGURATION.models}
    return found.pop() if len(found) == 1 else of_labels(lambda labels: function(CONFIGURATION, labels["model"]))


# Threads are a key of the model in the configuration, since results depend on them. Of the processes that train
# together, each has so many.
THREADS = of_model(base_models.threads)
TRAINING_THREADS = of_model(base_models.training_threads)
# Resources, not params: they do not change results.
CELLS_PER_GPU, OFFLOAD = of_model(base_models.cells_per_gpu), of_model(base_models.offload)
PROCESSES, MICRO_BATCH_TOKENS, SHARDED, GRADIENT_CHECKPOINTING = (
    of_model(partial(base_models.execution, key=key))
    for key in ("gpus", "micro_batch_tokens", "sharded", "gradient_checkpointing")
)


def lock_folder():
    """Let no second sweep into this folder while this Snakemake lives, and record what this study file makes."""
    try:
        cluster = not compat.runs_jobs_here(workflow)
        folder_lock.lock_folder_until_exit(configuration_hash(CONFIGURATION), cluster=cluster)
        for line in begin_study(CONFIGURATION, compat.given_config_files(workflow)):
            logger.warning(line)
    except UserError as error:
        raise WorkflowError(str(error)) from None

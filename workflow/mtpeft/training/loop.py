"""The training loop, for pre-training and fine-tuning alike.

Everything that an update does follows from the weights, the seed and the update's number: the batch, the learning
rate, the dropout masks. So a checkpoint needs no random numbers, and a resumed run ends with the same bits.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from mtpeft.cluster.preemption import PreemptionHandler, TimeToStopError
from mtpeft.core.errors import StoppedError
from mtpeft.core.provenance import PLAIN, Execution
from mtpeft.data.batch_layout import positions_and_filled
from mtpeft.methods.base import UpdateHook
from mtpeft.training.batches import Batch
from mtpeft.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from mtpeft.training.distributed import (
    first_before_others,
    gathered_model,
    is_first,
    of_the_first,
    ranks,
    sharded_as,
    wait_for_all,
    whole,
    whole_on_first,
)
from mtpeft.training.evaluate import Evaluate, Poll
from mtpeft.training.micro_batches import (
    TrainedModel,
    accumulate_gradients,
    halved_micro_batch,
    note_out_of_memory,
    noted_micro_batch,
    smallest_micro_batch,
)
from mtpeft.training.objective import LossOptions, Objective, likelihood
from mtpeft.training.optimizer import DecayRule, RateFactor, make_optimizer, set_learning_rate
from mtpeft.training.progress import ProgressBar

HOOK = "hook/"
"""Prefix of the names of a hook's tensors in a checkpoint."""
EXPLODED = 3.0
"""Training has diverged when its loss is above so many times that of guessing words uniformly."""
LOSSES_ON_GPU = 16
"""Updates whose losses are read together on a GPU, which would stand still while each of them is waited for."""


@dataclass(frozen=True)
class TrainingPlan:
    """Hyperparameters of an optimisation.

    Attributes:
        updates: number of optimizer steps.
        learning_rate: peak learning rate.
        warmup: share of the updates in which the learning rate rises.
        loss: options of the loss.
        weight_decay: strength of the decoupled weight decay.
        clip_norm: largest Euclidean norm of a gradient.
        evaluations: how often the dev set is evaluated, the start not counted.
        seed: seed of the dropout masks.
        patience: number of evaluations without a better dev score after which training stops early; None for never.
    """

    updates: int
    learning_rate: float
    warmup: float
    loss: LossOptions
    weight_decay: float
    clip_norm: float
    evaluations: int
    seed: int
    patience: int | None = None


@dataclass
class TrainingRun:
    """The progress of a training.

    Attributes:
        step: number of updates that have been made.
        best_step: number of updates after which the dev score was best.
        best_score: best dev score.
        tokens: target tokens that have been trained on.
        positions: positions of both sides that have been computed, padding among them.
        padding: those of them that hold padding.
        seconds: duration so far.
        status: `ok` or `diverged`.
        history: step and dev score of each evaluation, and the mean loss per target token since the one before, if
            there were updates.
        starts: how often a process has begun or gone on with it.
        micro_batch_tokens: largest micro-batch that memory sufficed for; None where whole batches fit.
        processor_seconds: time of a processor that this process has used so far, of all its threads together.
        losses: sum of the losses of the target tokens since the last evaluation.
        loss_tokens: number of these tokens.
    """

    step: int = 0
    best_step: int = 0
    best_score: float = -math.inf
    tokens: int = 0
    positions: int = 0
    padding: int = 0
    seconds: float = 0.0
    status: str = "ok"
    history: list[dict[str, float]] = field(default_factory=list)
    starts: int = 0
    micro_batch_tokens: int | None = None
    processor_seconds: float = 0.0
    losses: float = 0.0
    loss_tokens: int = 0


@dataclass(frozen=True)
class TrainingTask:
    """A model to train, with its batches and its evaluation.

    Attributes:
        model: whose trainable parameters are trained.
        batch: gives the batch of an update.
        evaluate: gives the dev score of the model as it is; higher is better.
        identity: params and inputs as text, which a checkpoint must carry to be resumed.
        start: dev score of the model before the first update, where it is known.
        rate_factor: factor of the learning rate of each parameter.
        decays: whether a parameter has weight decay.
        objective: what is minimised in the update of a number.
        task_modules: modules that need the task ids of each batch.
        hook: of the method, called before and after each update.
        execution: how it runs, which changes results by rounding alone.
    """

    model: nn.Module
    batch: Callable[[int], Batch]
    evaluate: Evaluate
    identity: str
    start: float | None = None
    rate_factor: RateFactor = lambda name: 1.0
    decays: DecayRule = lambda name, weight: True
    objective: Callable[[int], Objective] = lambda update: likelihood
    task_modules: Sequence[nn.Module] = ()
    hook: UpdateHook = field(default_factory=UpdateHook)
    execution: Execution = PLAIN


def train(task: TrainingTask, plan: TrainingPlan, *, state_folder: Path, preemption: PreemptionHandler) -> TrainingRun:
    """Train to the end, or on from a checkpoint; the model then holds the weights with the best dev score.

    Raises:
        StoppedError: training was stopped early, with its state saved.
    """
    torch.use_deterministic_algorithms(True)
    weights = {name: parameter for name, parameter in task.model.named_parameters() if parameter.requires_grad}
    optimizer = make_optimizer(
        weights,
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        rate_factor=task.rate_factor,
        decays=task.decays,
    )
    best = {name: _kept(weight) for name, weight in weights.items()}
    with first_before_others():
        checkpoint = read_checkpoint(state_folder, task.identity)
    run = _resume(checkpoint, weights, best, optimizer)
    if checkpoint:
        task.hook.remember(_named_with(checkpoint.tensors, HOOK))
    run.starts += 1
    run.micro_batch_tokens = smallest_micro_batch(
        run.micro_batch_tokens, task.execution.micro_batch_tokens, noted_micro_batch(state_folder)
    )
    preemption.resumed(run.step)
    evaluated_steps = evaluation_steps(plan.updates, plan.evaluations)
    read_together = losses_read_together(task.model, task.hook)
    begun = preemption.elapsed() - run.seconds
    used = time.process_time() - run.processor_seconds
    task.model.train()
    unread: list[Update] = []

    def read() -> None:
        before = run.step
        _count_updates(unread, run, progress, largest_loss=EXPLODED * math.log(_vocabulary_size(task.model)))
        preemption.updated(run.step - before)
        unread.clear()

    def save() -> None:
        run.seconds = preemption.elapsed() - begun
        run.processor_seconds = time.process_time() - used
        with preemption.saving():
            tensors = _tensors(weights, best, optimizer) | {HOOK + key: own for key, own in task.hook.memory().items()}
            if is_first():
                write_checkpoint(state_folder, Checkpoint(task.identity, asdict(run), tensors))
            wait_for_all()

    with ProgressBar(plan.updates, run.step, state_folder, run.history) as progress:
        try:
            while True:
                if run.step in evaluated_steps and _is_to_be_evaluated(run, plan, task.hook):
                    score = _evaluate(task, run, weights, best, poll=preemption.poll)
                    progress.evaluated(score, run.best_score)
                    if preemption.saving_is_quick() or preemption.save_is_due():
                        save()
                if run.step == plan.updates or run.status != "ok" or _stops_early(run, plan):
                    break
                preemption.poll()
                number = run.step + len(unread)
                with note_out_of_memory(state_folder, lambda number=number: _half(task, run, number)):
                    unread.append(_update(task, plan, optimizer, run, number=number))
                saves = preemption.save_is_due()
                if saves or len(unread) == read_together or number + 1 in evaluated_steps:
                    read()
                if saves and run.status == "ok":
                    save()
        except TimeToStopError as stop:
            read()
            save()
            message = f"stopped at update {run.step} of {plan.updates}: {stop}; the state is saved"
            raise StoppedError(message, why=stop.reason.kind) from None
    run.seconds = preemption.elapsed() - begun
    run.processor_seconds = time.process_time() - used
    _restore(weights, best)
    return run


def evaluation_steps(updates: int, evaluations: int) -> set[int]:
    """Return the updates after which the dev set is evaluated: 0, and evenly up to the last."""
    return {round(updates * index / evaluations) for index in range(evaluations + 1)}


@dataclass(frozen=True)
class Update:
    """An update that was made.

    Attributes:
        loss: per target token, on the model's device; NaN where the norm of the gradient is no finite number.
        tokens: target tokens of its batch.
        positions: positions of both sides of its batch.
        padding: those of them that hold padding.
    """

    loss: torch.Tensor
    tokens: int
    positions: int
    padding: int


def losses_read_together(model: nn.Module, hook: UpdateHook) -> int:
    """Return how many updates are made before their losses are read.

    A hook changes weights by what an update has left, so it must not see one that has diverged.
    """
    return LOSSES_ON_GPU if model.device.type == "cuda" and type(hook) is UpdateHook else 1


def _count_updates(updates: Sequence[Update], run: TrainingRun, progress: ProgressBar, *, largest_loss: float) -> None:
    """Read the losses of updates and count them, up to the first that has diverged."""
    losses = torch.stack([update.loss for update in updates]).tolist() if updates else []
    for loss, update in zip(losses, updates, strict=True):
        if not loss < largest_loss:
            run.status = "diverged"
            return
        run.step += 1
        run.tokens += update.tokens
        run.positions += update.positions
        run.padding += update.padding
        run.losses += loss * update.tokens
        run.loss_tokens += update.tokens
        progress.update(loss, update.tokens)


def _update(
    task: TrainingTask, plan: TrainingPlan, optimizer: torch.optim.Optimizer, run: TrainingRun, *, number: int
) -> Update:
    """Make the update of a number.

    Where losses are read one by one, weights stay as they are if the loss or the norm of the gradient is no finite
    number. The model is in training mode already: setting it takes some 5 % of an update where a method wraps many
    modules.
    """
    set_learning_rate(optimizer, number, peak=plan.learning_rate, updates=plan.updates, warmup=plan.warmup)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    batch = task.batch(number)
    gradient = accumulate_gradients(
        TrainedModel(task.model, trained, task.objective(number), plan.loss, task.task_modules),
        batch,
        seed=(plan.seed << 32) + number,
        micro_batch_tokens=run.micro_batch_tokens,
    )
    run.micro_batch_tokens = gradient.micro_batch_tokens
    task.hook.before()
    norm = whole(nn.utils.clip_grad_norm_(trained, plan.clip_norm, foreach=True))
    loss = torch.where(torch.isfinite(norm), gradient.loss, math.nan)
    if losses_read_together(task.model, task.hook) > 1 or torch.isfinite(loss):
        optimizer.step()
        task.hook.after(number + 1, plan.updates)
    return Update(loss, gradient.tokens, *_positions_and_padding(batch))


def _positions_and_padding(batch: Batch) -> tuple[int, int]:
    """Count the positions of a batch, and those of them that hold padding."""
    positions, filled = positions_and_filled(batch)
    return positions, positions - filled


def _is_to_be_evaluated(run: TrainingRun, plan: TrainingPlan, hook: UpdateHook) -> bool:
    """Return whether the model has no dev score at this step yet and is one that the method may keep."""
    evaluated = [int(entry["step"]) for entry in run.history]
    return run.step not in evaluated and hook.may_be_kept(run.step, plan.updates)


def _half(task: TrainingTask, run: TrainingRun, number: int) -> int | None:
    """Return half of the micro-batch size of the batch of an update, for the next attempt."""
    return halved_micro_batch(task.batch(number), run.micro_batch_tokens, ranks())


def _evaluate(
    task: TrainingTask,
    run: TrainingRun,
    weights: Mapping[str, nn.Parameter],
    best: dict[str, torch.Tensor],
    *,
    poll: Poll,
) -> float:
    """Compute the dev score of the weights, and keep them if it is the best; a score that is no number has diverged."""
    if run.step == 0 and task.start is not None:
        score = task.start
    else:
        task.model.eval()
        with gathered_model(task.model):
            score = of_the_first(task.evaluate(poll))
        task.model.train()
    if not math.isfinite(score):
        run.status = "diverged"
        return score
    loss = {"loss": run.losses / run.loss_tokens} if run.loss_tokens else {}
    run.history.append({"step": run.step, "score": score, **loss})
    run.losses, run.loss_tokens = 0.0, 0
    if score > run.best_score:
        run.best_score, run.best_step = score, run.step
        for name, weight in weights.items():
            best[name] = _kept(weight)
    return score


def _kept(weight: nn.Parameter) -> torch.Tensor:
    """Copy a weight to where it costs no memory of a GPU; shards of a weight stay where they are."""
    own = weight.detach()
    return own.clone() if isinstance(own, DTensor) else own.to("cpu", copy=True)


def _stops_early(run: TrainingRun, plan: TrainingPlan) -> bool:
    """Return whether as many evaluations in a row as the patience brought no better dev score."""
    since = [entry for entry in run.history if entry["step"] > run.best_step]
    return plan.patience is not None and len(since) >= plan.patience


def _vocabulary_size(model: nn.Module) -> int:
    return model.get_output_embeddings().weight.shape[0]


def _tensors(
    weights: Mapping[str, nn.Parameter], best: Mapping[str, torch.Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint by name: weights, best weights, and the optimizer's moments."""
    tensors = {f"weight/{name}": whole_on_first(weight.detach()) for name, weight in weights.items()}
    tensors |= {f"best/{name}": whole_on_first(tensor) for name, tensor in best.items()}
    for name, weight in weights.items():
        moments = optimizer.state.get(weight, {})
        tensors |= {f"optimizer/{key}/{name}": whole_on_first(value) for key, value in moments.items()}
    return tensors


def _named_with(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _resume(
    checkpoint: Checkpoint | None,
    weights: Mapping[str, nn.Parameter],
    best: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
) -> TrainingRun:
    """Put a checkpoint into the weights, the best weights and the optimizer; returns how far it had come."""
    if checkpoint is None:
        return TrainingRun()
    _restore(weights, {name: checkpoint.tensors[f"weight/{name}"] for name in weights})
    best.update({name: sharded_as(checkpoint.tensors[f"best/{name}"], weight) for name, weight in weights.items()})
    moments: dict[str, dict[str, torch.Tensor]] = {name: {} for name in weights}
    for key, tensor in checkpoint.tensors.items():
        kind, _, rest = key.partition("/")
        if kind == "optimizer":
            moment, _, name = rest.partition("/")
            moments[name][moment] = tensor
    for name, weight in weights.items():
        if moments[name]:
            optimizer.state[weight] = {key: sharded_as(tensor, weight) for key, tensor in moments[name].items()}
    return TrainingRun(**checkpoint.progress)


@torch.no_grad()
def _restore(weights: Mapping[str, nn.Parameter], saved: Mapping[str, torch.Tensor]) -> None:
    for name, weight in weights.items():
        weight.copy_(sharded_as(saved[name], weight))

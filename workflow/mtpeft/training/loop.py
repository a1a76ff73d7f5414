"""The training loop, for pre-training and fine-tuning alike.

Everything that an update does follows from the weights, the seed and the update's number: the batch, the learning
rate, the dropout masks. So a saved state needs no random numbers, and a resumed run ends with the same bits.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtpeft.cluster.preemption import Clock, TimeToStopError
from mtpeft.core.errors import StoppedError
from mtpeft.core.provenance import PLAIN, Execution
from mtpeft.methods.base import UpdateHook
from mtpeft.training.checkpoint import State, read_state, save_state
from mtpeft.training.distributed import (
    as_held,
    first_before_others,
    is_first,
    kept,
    of_the_first,
    put_together,
    ranks,
    wait_for_all,
    whole,
)
from mtpeft.training.micro_batches import (
    Differentiated,
    halved,
    noted_micro_batch,
    noting_shortage,
    put_gradient,
    smallest,
)
from mtpeft.training.objective import Objective, likelihood
from mtpeft.training.optimizer import learning_rate
from mtpeft.training.progress import Progress

HOOK = "hook/"
"""Begins the names of a hook's tensors in a saved state."""
EXPLODED = 3.0
"""A loss above so many times that of guessing uniformly has diverged."""


@dataclass(frozen=True)
class Plan:
    """What an optimisation depends on. Rates are peaks, `warmup` is a share of the updates, norms are Euclidean."""

    updates: int
    learning_rate: float
    warmup: float
    label_smoothing: float
    weight_decay: float
    clip_norm: float
    evaluations: int
    seed: int
    patience: int | None = None


@dataclass
class Run:
    """Where a run stands; `micro_batch_tokens` is the largest part of a batch that memory sufficed for, if not all."""

    step: int = 0
    best_step: int = 0
    best_score: float = -math.inf
    tokens: int = 0
    seconds: float = 0.0
    status: str = "ok"
    history: list[dict[str, float]] = field(default_factory=list)
    starts: int = 0
    micro_batch_tokens: int | None = None


@dataclass(frozen=True)
class Task:
    """What to train on what, and how to judge it.

    Attributes:
        model: its trainable parameters are trained.
        batch: inputs of an update, with `labels` of shape (batch, length), and of a group of pairs with `domains`.
        evaluate: dev score of the model as it is; higher is better. What it is given is called as often as it can be
            interrupted.
        start: that of the model before the first update, where it is known.
        identity: settings and inputs as text, which a saved state must carry to be resumed.
        rate_factor: what the learning rate of a parameter of this name is multiplied by.
        decays: whether weight decay pulls a parameter of this name towards zero.
        objective: what is minimised.
        takers: modules that are told the `domains` of each batch.
        hook: what is done around each update.
        execution: how, where no result depends on it but for rounding.
    """

    model: nn.Module
    batch: Callable[[int], Mapping[str, torch.Tensor]]
    evaluate: Callable[[Callable[[], None]], float]
    identity: str
    start: float | None = None
    rate_factor: Callable[[str], float] = lambda name: 1.0
    decays: Callable[[str, nn.Parameter], bool] = lambda name, weight: True
    objective: Objective = likelihood
    takers: Sequence[nn.Module] = ()
    hook: UpdateHook = field(default_factory=UpdateHook)
    execution: Execution = PLAIN


def train(task: Task, plan: Plan, *, state_folder: Path, clock: Clock) -> Run:
    """Train to the end, or on from a saved state; the model then holds the weights with the best dev score.

    Raises:
        StoppedError: stopped early, with the state saved.
    """
    torch.use_deterministic_algorithms(True)
    weights = {name: parameter for name, parameter in task.model.named_parameters() if parameter.requires_grad}
    optimizer = torch.optim.AdamW(
        _groups(weights, task, plan.weight_decay),
        lr=plan.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    best = {name: weight.detach().clone() for name, weight in weights.items()}
    with first_before_others():
        state = read_state(state_folder, task.identity)
    run = _resume(state, weights, best, optimizer)
    if state:
        task.hook.remember(_part(state.tensors, HOOK))
    run.starts += 1
    run.micro_batch_tokens = smallest(
        run.micro_batch_tokens, task.execution.micro_batch_tokens, noted_micro_batch(state_folder)
    )
    clock.resumed(run.step)
    marks = evaluation_steps(plan.updates, plan.evaluations)
    begun = clock.elapsed() - run.seconds
    task.model.train()

    def save() -> None:
        run.seconds = clock.elapsed() - begun
        with clock.saving():
            tensors = _tensors(weights, best, optimizer) | {HOOK + key: own for key, own in task.hook.memory().items()}
            if is_first():
                save_state(state_folder, State(task.identity, asdict(run), tensors))
            wait_for_all()

    with Progress(plan.updates, run.step) as progress:
        try:
            while True:
                if run.step in marks and _is_to_be_judged(run, plan, task.hook):
                    score = _judge(task, run, weights, best, look=clock.look)
                    progress.say(f"update {run.step}: dev score {score:.3f}, best {run.best_score:.3f}")
                    save()
                if run.step == plan.updates or run.status != "ok" or _stalled(run, plan):
                    break
                clock.look()
                with noting_shortage(state_folder, lambda: _half(task, run)):
                    loss, tokens = _update(task, plan, optimizer, run)
                if not loss < EXPLODED * math.log(_vocabulary(task.model)):
                    run.status = "diverged"
                    continue
                run.step += 1
                run.tokens += tokens
                clock.updated()
                progress.update(loss, tokens)
                if clock.save_is_due():
                    save()
        except TimeToStopError as stop:
            save()
            said = f"stopped at update {run.step} of {plan.updates}: {stop}; the state is saved"
            raise StoppedError(said, why=stop.reason.why) from None
    run.seconds = clock.elapsed() - begun
    _restore(weights, best)
    return run


def _groups(weights: Mapping[str, nn.Parameter], task: Task, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters by the factor of their learning rate and their weight decay, each group in the order of the model."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in weights.items():
        decay = weight_decay if task.decays(name, weight) else 0.0
        groups.setdefault((task.rate_factor(name), decay), []).append(weight)
    return [{"params": own, "factor": factor, "weight_decay": decay} for (factor, decay), own in groups.items()]


def evaluation_steps(updates: int, evaluations: int) -> set[int]:
    """Updates after which the dev set is decoded: 0, and evenly up to the last."""
    return {round(updates * index / evaluations) for index in range(evaluations + 1)}


def _update(task: Task, plan: Plan, optimizer: torch.optim.Optimizer, run: Run) -> tuple[float, int]:
    """One update; returns the loss per token and the number of target tokens. A loss that is no number changes none.

    The model is in training mode already: setting it takes some 5 % of an update where a method wraps many modules.
    """
    for group in optimizer.param_groups:
        peak = plan.learning_rate * group["factor"]
        group["lr"] = learning_rate(run.step, peak=peak, updates=plan.updates, warmup=plan.warmup)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    gradient = put_gradient(
        Differentiated(task.model, trained, task.objective, plan.label_smoothing, task.takers),
        task.batch(run.step),
        seed=(plan.seed << 32) + run.step,
        micro_batch_tokens=run.micro_batch_tokens,
    )
    run.micro_batch_tokens = gradient.micro_batch_tokens
    task.hook.before()
    norm = whole(nn.utils.clip_grad_norm_(trained, plan.clip_norm, foreach=True))
    if torch.isfinite(gradient.loss) and torch.isfinite(norm):
        optimizer.step()
        task.hook.after(run.step + 1, plan.updates)
    return gradient.loss.item() if torch.isfinite(norm) else math.nan, gradient.tokens


def _is_to_be_judged(run: Run, plan: Plan, hook: UpdateHook) -> bool:
    judged = [int(entry["step"]) for entry in run.history]
    return run.step not in judged and hook.may_be_kept(run.step, plan.updates)


def _half(task: Task, run: Run) -> int | None:
    """Half of what a part of the batch at hand has."""
    return halved(task.batch(run.step), run.micro_batch_tokens, ranks())


def _judge(
    task: Task,
    run: Run,
    weights: Mapping[str, nn.Parameter],
    best: dict[str, torch.Tensor],
    *,
    look: Callable[[], None],
) -> float:
    """Dev score of the weights, which become the best ones if it is; a score that is no number has diverged."""
    if run.step == 0 and task.start is not None:
        score = task.start
    else:
        task.model.eval()
        with put_together(task.model):
            score = of_the_first(task.evaluate(look))
        task.model.train()
    if not math.isfinite(score):
        run.status = "diverged"
        return score
    run.history.append({"step": run.step, "score": score})
    if score > run.best_score:
        run.best_score, run.best_step = score, run.step
        for name, weight in weights.items():
            best[name] = weight.detach().clone()
    return score


def _stalled(run: Run, plan: Plan) -> bool:
    """True when so many evaluations in a row brought nothing better, and the plan asks to stop then."""
    since = [entry for entry in run.history if entry["step"] > run.best_step]
    return plan.patience is not None and len(since) >= plan.patience


def _vocabulary(model: nn.Module) -> int:
    return model.get_output_embeddings().weight.shape[0]


def _tensors(
    weights: Mapping[str, nn.Parameter], best: Mapping[str, torch.Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    tensors = {f"weight/{name}": kept(weight.detach()) for name, weight in weights.items()}
    tensors |= {f"best/{name}": kept(tensor) for name, tensor in best.items()}
    for name, weight in weights.items():
        tensors |= {f"optimizer/{key}/{name}": kept(value) for key, value in optimizer.state.get(weight, {}).items()}
    return tensors


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _resume(
    state: State | None,
    weights: Mapping[str, nn.Parameter],
    best: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
) -> Run:
    if state is None:
        return Run()
    _restore(weights, {name: state.tensors[f"weight/{name}"] for name in weights})
    best.update({name: as_held(state.tensors[f"best/{name}"], weight) for name, weight in weights.items()})
    moments: dict[str, dict[str, torch.Tensor]] = {name: {} for name in weights}
    for key, tensor in state.tensors.items():
        kind, _, rest = key.partition("/")
        if kind == "optimizer":
            moment, _, name = rest.partition("/")
            moments[name][moment] = tensor
    for name, weight in weights.items():
        if moments[name]:
            optimizer.state[weight] = {key: as_held(tensor, weight) for key, tensor in moments[name].items()}
    return Run(**state.progress)


@torch.no_grad()
def _restore(weights: Mapping[str, nn.Parameter], saved: Mapping[str, torch.Tensor]) -> None:
    for name, weight in weights.items():
        weight.copy_(as_held(saved[name], weight))

"""The GPUs and processes that a step runs on: how it was run, on which no result depends but for rounding."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from mtpeft.core.provenance import NOWHERE, Execution, Offload
from mtpeft.training.launch import is_launched, launch


@dataclass(frozen=True)
class Devices:
    """The devices that a step may use, as options of its command.

    Attributes:
        gpus: processes that train together, each with a GPU.
        cells_per_gpu: steps that share a GPU.
        micro_batch_tokens: most padded tokens of a part of an update; 0 for whole batches.
        sharded: 1 to train whole models in shards (FSDP).
        gradient_checkpointing: 1 to compute activations again for the gradient, which saves memory.
        offload: `cpu` or `disk` to keep the layers of the base model there until they run; `none` to keep none away.
        command: the words of the command line, by which several processes are launched.
    """

    gpus: int = 1
    cells_per_gpu: int = 1
    micro_batch_tokens: int = 0
    sharded: int = 0
    gradient_checkpointing: int = 0
    offload: str = NOWHERE
    command: Sequence[str] = ()

    @property
    def execution(self) -> Execution:
        """The options of running a training on them."""
        return Execution(
            self.micro_batch_tokens or None,
            sharded=bool(self.sharded),
            gradient_checkpointing=bool(self.gradient_checkpointing),
            offload=None if self.offload == NOWHERE else cast("Offload", self.offload),  # its command takes no others
        )

    @contextmanager
    def one_gpu(self) -> Iterator[None]:
        """Hold one GPU, where there is any."""
        from mtpeft.cluster.gpus import take_slots

        with take_slots(1, self.cells_per_gpu):
            yield

    def on_all(self, run: Callable[[], None]) -> None:
        """Run something with all GPUs held, in a process for each where there are several."""
        if is_launched():
            from mtpeft.training.distributed import among_ranks

            with among_ranks():
                run()
            return
        from mtpeft.cluster.gpus import take_slots

        with take_slots(max(1, self.gpus), self.cells_per_gpu):
            if self.gpus > 1:
                launch(list(self.command), processes=self.gpus)
            else:
                run()

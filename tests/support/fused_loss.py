"""Compare the fused kernel with our chunks where triton interprets kernels: `python -m support.fused_loss FOLDER`.

The environment needs TRITON_INTERPRET=1 before triton is imported.
"""

import sys
from pathlib import Path

import torch
from torch import nn

from mtpeft.models.load import prepare_torch
from mtpeft.training import chunked_loss
from support.method import FAMILIES, VOCABULARY, Subject, batch, write_base
from support.objective import gradients

KEPT_BELOW = "gemma2"
"""The family whose logits have a limit; its loss is computed without the kernel."""
METHODS = {"full": ({"method": "full"}, None), "lora": ({"method": "lora", "scaling": 2.0}, 0.2)}


def main(folder: Path) -> None:
    """Compare losses and gradients on each family, and name those that are equal but for rounding."""
    prepare_torch(1)
    chunked_loss.MOST_LOGITS = 3 * VOCABULARY
    for family in (own for own in FAMILIES if own != KEPT_BELOW):
        base = write_base(family, folder / family)
        for method, entry in METHODS.items():
            subject = Subject(base, *entry)
            inputs = batch(subject.special_tokens())
            used: list[int] = []
            for smoothing in (0.0, 0.1):
                model = subject.stirred() if method != "full" else subject.untouched().train()
                chunked_loss.is_fused = lambda output, device: False
                ours = gradients(model, inputs, smoothing)
                chunked_loss.is_fused = _noting(used)
                theirs = gradients(model, inputs, smoothing)
                torch.testing.assert_close(theirs[0], ours[0], rtol=1e-5, atol=0)
                for one, other in zip(theirs[1], ours[1], strict=True):
                    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
            print(family, method, len(used))


def _noting(used: list[int]):
    """As on a GPU, for a linear output projection, noting each use."""

    def is_fused(output: nn.Module, device: torch.device) -> bool:
        used.append(len(used))
        return type(output) is nn.Linear

    return is_fused


if __name__ == "__main__":
    main(Path(sys.argv[1]))

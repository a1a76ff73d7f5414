"""Checks that an exported model is the cell: its logits are those of the cell, and so are its translations."""

import warnings
from collections.abc import Sequence

import torch

from mtpeft.data.batch_layout import LAYOUTS
from mtpeft.decoding.translator import Translator
from mtpeft.models.tokenizer import LossWarning

CLOSE = 1e-3
"""Largest difference of logits that merging may make, as a multiple of the largest logit."""
PROBES = ("1, 2, 3 …", "(?!)", "a b c d e", "Is it 12:05? No: 7 + 5 = 12.")
"""Sentences that every vocabulary can tokenize in some way; what they mean does not matter."""


def translations(translator: Translator) -> list[str]:
    """Translations of the probes by the cell, without warnings about what a small vocabulary can't represent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        return translator(PROBES)


@torch.inference_mode()
def logits(model: torch.nn.Module, translator: Translator) -> list[torch.Tensor]:
    """Logits of the probes as their own translations, of shape (1, tokens, vocabulary) each."""
    device, layout = next(model.parameters()).device, LAYOUTS[translator.tokenizer.family.task]
    found = []
    for source, target in zip(translator.tokens(PROBES, "source"), translator.tokens(PROBES, "target"), strict=True):
        given = layout.read_both(torch.tensor([source], device=device), torch.tensor([target], device=device))
        found.append(model(**given, use_cache=False).logits.cpu())
    return found


def require_alike(before: Sequence[torch.Tensor], after: Sequence[torch.Tensor], *, close: float = CLOSE) -> None:
    """Require logits that differ by at most a share of the largest one.

    Raises:
        AssertionError: they differ by more.
    """
    for own, opened in zip(before, after, strict=True):
        difference = float((own - opened).abs().max() / own.abs().max())
        if not difference <= close:
            raise AssertionError(f"the exported model differs from the cell by {difference:.2g} of its largest logit")


def require_same(own: Sequence[str], plain: Sequence[str]) -> None:
    """Require equal translations, but for spaces at their ends, which the lines of a page keep."""
    for number, (cell, found) in enumerate(zip(own, plain, strict=True)):
        if cell.strip() != found.strip():
            raise AssertionError(
                f"the exported model, called as its page says, translates {PROBES[number]!r} as {found!r}, "
                f"and the cell as {cell!r}"
            )

"""Open a trained cell as a translator of text."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.errors import UserError
from mtpeft.data.normalisation import normalised_line
from mtpeft.decoding.search import Search, translate
from mtpeft.methods.outside import bring_in_for
from mtpeft.methods.task_ids import domain_of, say_domains
from mtpeft.models.precision import Frozen, frozen_in
from mtpeft.models.tokenizer import Codec, LossWarning, Side, encode, frame_of, losses, open_codec, text_of

if TYPE_CHECKING:
    pass


from mtpeft.methods.tuned import open_tuned
from mtpeft.models.load import prepare_torch


@dataclass(frozen=True)
class Translator:
    """A trained cell, ready to translate text."""

    model: nn.Module
    codec: Codec
    search: Search
    frozen: Frozen

    def __call__(self, sentences: Sequence[str]) -> list[str]:
        """Translate sentences, in the form in which text is read everywhere; an empty one has an empty translation.

        Warns of each that loses something on its way into tokens.

        Raises:
            UserError: one holds half a surrogate pair, which is no text.
        """
        lines = _lines_of(sentences)
        rows = self.tokens(lines, "source")
        for lost in self.lost(sentences):
            warnings.warn(lost, LossWarning, stacklevel=2)
        given = [number for number, line in enumerate(lines) if line]
        sources, frame = [torch.tensor(rows[number]) for number in given], frame_of(self.codec, self.model.config)
        found = text_of(self.codec, translate(self.model, sources, self.search, frame=frame))
        translated = dict(zip(given, found, strict=True))
        return [translated.get(number, "") for number in range(len(lines))]

    def lost(self, sentences: Sequence[str], *, called: str = "sentence") -> Iterator[str]:
        """What each sentence loses on its way into tokens, in words, by what it is called and its number from 1 on.

        Raises:
            UserError: one holds half a surrogate pair.
        """
        lines, longest = _lines_of(sentences), frame_of(self.codec, self.model.config).longest
        found = losses(self.codec, lines, self.tokens(lines, "source"), "source", longest=longest)
        for number, loss in enumerate(found, start=1):
            if loss.truncated:
                yield f"{called} {number} is longer than the {longest} tokens that the model reads; its end is cut off."
            if loss.unknown:
                unknown = "1 token" if loss.unknown == 1 else f"{loss.unknown} tokens"
                yield f"{called} {number} has {unknown} that the vocabulary does not know; what they stand for is lost."

    def tokens(self, sentences: Sequence[str], side: Side) -> list[list[int]]:
        """Tokens of sentences of one side, cut to what the model reads."""
        return encode(self.codec, sentences, side, longest=frame_of(self.codec, self.model.config).longest)


def _lines_of(sentences: Sequence[str]) -> list[str]:
    """Sentences in the form in which text is read everywhere.

    Raises:
        UserError: one holds half a surrogate pair.
    """
    for number, sentence in enumerate(sentences, start=1):
        try:
            sentence.encode()
        except UnicodeEncodeError as error:
            raise UserError(
                f"Sentence {number} holds {sentence[error.start]!a}, half of a surrogate pair, which is no text; read "
                "it anew as what it is encoded in."
            ) from None
    return list(map(normalised_line, sentences))


def load_cell(cell: str | Path, pair: str | None = None) -> Translator:
    """Open a trained cell with the languages and the search of its records.

    Args:
        cell: its folder or its six labels.
        pair: which pair of its group it translates; left out where it was trained on one.

    Raises:
        UserError: the cell is unknown, not trained, diverged, has no model, was not trained on the pair, or its base
            model is not there or can't be quantised here.
        DamagedError: its weights are not those that were trained, or those of the base not those that were taken in.
    """
    folder = Path(cell) if (Path(cell) / "train.json").exists() else Cell.find(str(cell)).folder
    if not (folder / "train.json").exists():
        labels = Cell.parse(str(folder)).path
        raise UserError(f"{folder} holds no trained cell; train it with `python -m mtpeft sweep --target {labels}`.")
    record = require_whole(folder / "train.json")
    if record["status"] != "ok":
        raise UserError(f"The cell {folder} has diverged in training, so there is nothing to translate with.")
    if "base" not in record["inputs"]:
        raise UserError(f"The cell {folder} has no model: its method '{record['cell']['method']}' copies translations.")
    base_record = Path(record["inputs"]["base"])
    if not base_record.exists():
        raise UserError(f"The base model {base_record} of {folder} is not there; run this in the folder of the sweep.")
    bring_in_for(record["settings"]["method"], cell=folder)
    described = require_base(record)
    base = Path(described["folder"])
    pair = _pair_of(Cell(**record["cell"]), pair)
    languages = record["settings"].get("members", {}).get(pair) or record["settings"]["languages"]
    device = prepare_torch(record["settings"]["threads"])
    frozen = frozen_in(record["settings"], record["cell"]["model"])
    model = open_tuned(base, folder / "tuned", frozen).to(device).eval()
    say_domains(model, domain_of(record["settings"], pair))
    return Translator(
        model=model,
        codec=open_codec(
            base, languages, vocabulary=record["cell"]["model"], prompt=described["settings"].get("prompt")
        ),
        search=Search(**record["settings"]["search"]),
        frozen=frozen,
    )


def _pair_of(cell: Cell, pair: str | None) -> str:
    """The pair that a cell is to translate.

    Raises:
        UserError: it was not trained on the pair, or on several and none is named.
    """
    known = " or ".join(f"'{member}'" for member in cell.members)
    if pair is None and cell.is_group:
        raise UserError(f"The cell {cell.path} translates several pairs; say which: {known}.")
    if pair not in (None, *cell.members):
        raise UserError(f"The cell {cell.path} was not trained on '{pair}'; write {known}.")
    return pair or cell.pair

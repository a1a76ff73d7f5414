"""Open a trained cell as a translator of text."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.errors import UserError
from mtpeft.core.options import DecodingOptions
from mtpeft.data.normalisation import normalised_line
from mtpeft.decoding.search import translate
from mtpeft.methods import bring_in_for
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.task_ids import set_task_ids, task_id_of
from mtpeft.models.load import prepare_torch
from mtpeft.models.precision import BasePrecision, precision_of
from mtpeft.models.tokenizer import (
    LossWarning,
    PairTokenizer,
    Side,
    detokenise,
    encode,
    losses,
    open_tokenizer,
    prompt_keys,
    special_tokens_of,
)


@dataclass(frozen=True)
class Translator:
    """A trained cell that translates text.

    Attributes:
        model: base model with the tuned weights.
        tokenizer: tokenizer, set to the language pair.
        options: how hypotheses are searched.
        precision: precision of the base model's weights.
    """

    model: nn.Module
    tokenizer: PairTokenizer
    options: DecodingOptions
    precision: BasePrecision

    def __call__(self, sentences: Sequence[str]) -> list[str]:
        """Translate sentences, normalised as all text that is read; an empty one has an empty translation.

        Each sentence that loses something on its way into tokens is warned of.

        Raises:
            UserError: a sentence holds half a surrogate pair, which is no text.
        """
        lines = _lines_of(sentences)
        rows = self.tokens(lines, "source")
        for lost in self.lost(sentences):
            warnings.warn(lost, LossWarning, stacklevel=2)
        given = [number for number, line in enumerate(lines) if line]
        sources, special_tokens = (
            [torch.tensor(rows[number]) for number in given],
            special_tokens_of(self.tokenizer, self.model.config),
        )
        found = detokenise(self.tokenizer, translate(self.model, sources, self.options, special_tokens=special_tokens))
        translated = dict(zip(given, found, strict=True))
        return [translated.get(number, "") for number in range(len(lines))]

    def lost(self, sentences: Sequence[str], *, called: str = "sentence") -> Iterator[str]:
        """Yield a message for each sentence that is truncated or has unknown tokens.

        Args:
            sentences: to be translated.
            called: what messages call a sentence, before its number from 1 on.

        Raises:
            UserError: a sentence holds half a surrogate pair.
        """
        lines, max_length = _lines_of(sentences), self._max_length
        found = losses(self.tokenizer, lines, self.tokens(lines, "source"), "source", max_length=max_length)
        for number, loss in enumerate(found, start=1):
            if loss.truncated:
                cut = f"is longer than the {max_length} tokens that the model reads; its end is cut off"
                yield f"{called} {number} {cut}."
            if loss.unknown:
                unknown = "1 token" if loss.unknown == 1 else f"{loss.unknown} tokens"
                yield f"{called} {number} has {unknown} that the vocabulary does not know; what they stand for is lost."

    def tokens(self, sentences: Sequence[str], side: Side) -> list[list[int]]:
        """Return the tokens of sentences of one side, truncated to what the model reads."""
        return encode(self.tokenizer, sentences, side, max_length=self._max_length)

    @property
    def _max_length(self) -> int:
        return special_tokens_of(self.tokenizer, self.model.config).max_length


def _lines_of(sentences: Sequence[str]) -> list[str]:
    """Normalise sentences as all text that is read.

    Raises:
        UserError: a sentence holds half a surrogate pair.
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
    """Open a trained cell with the languages and the decoding options of its records.

    Args:
        cell: its folder or its six labels.
        pair: which of its language pairs is translated; unnecessary where it was trained on one.

    Raises:
        UserError: the cell is unknown, not trained, diverged, has no model, was not trained on the pair, or its base
            model is not there or can't be quantised here.
        DamagedError: its weights are not those that were trained, or the base model's not those that were taken in.
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
    bring_in_for(record["params"]["method"], cell=folder)
    described = require_base(record)
    base = Path(described["folder"])
    pair = _pair_of(Cell(**record["cell"]), pair)
    languages = record["params"].get("members", {}).get(pair) or record["params"]["languages"]
    device = prepare_torch(record["params"]["threads"])
    precision = precision_of(record["params"], record["cell"]["model"])
    model = open_tuned(base, folder / "tuned", precision).to(device).eval()
    set_task_ids(model, task_id_of(record["params"], pair))
    return Translator(
        model=model,
        tokenizer=open_tokenizer(
            base, languages, vocabulary=record["cell"]["model"], **prompt_keys(described["params"])
        ),
        options=DecodingOptions.model_validate(record["params"]["search"]),
        precision=precision,
    )


def _pair_of(cell: Cell, pair: str | None) -> str:
    """Return the language pair that a cell is to translate.

    Raises:
        UserError: it was not trained on the pair, or it was trained on several and none is named.
    """
    known = " or ".join(f"'{member}'" for member in cell.members)
    if pair is None and cell.is_group:
        raise UserError(f"The cell {cell.path} translates several pairs; say which: {known}.")
    if pair not in (None, *cell.members):
        raise UserError(f"The cell {cell.path} was not trained on '{pair}'; write {known}.")
    return pair or cell.pair

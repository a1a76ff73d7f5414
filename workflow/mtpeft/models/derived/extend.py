"""Add entries to the vocabulary of a base model: letters, tokens for languages that it never saw, pieces of new text.

The files of the tokenizer get the letters (see `mtpeft.models.added_letters`) and stay as they are otherwise (see
`mtpeft.models.tokenizer`). Every tensor that has a number or a row for each entry gets one for each new entry: the mean
of those that the entry stands for. With a bias of zero new entries would win every step of a model that has learnt
negative biases for the others.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import new_folder, read_record, sha256_of, write_record
from mtpeft.core.languages import match
from mtpeft.models.added_letters import Row, add_letters
from mtpeft.models.architecture import NEW_ENTRIES
from mtpeft.models.derived import ModelSource
from mtpeft.models.entries import copy_with_entries
from mtpeft.models.families import family_in, read_json, require_encoder
from mtpeft.models.families.vocabulary import SENTENCEPIECE_SPECIALS
from mtpeft.models.local import record_folder
from mtpeft.models.sentencepiece_models import WORD_START
from mtpeft.models.tokenizer import EXTENSION, AddedLanguage, AddedVocabulary, load_tokenizer, names_in, words

if TYPE_CHECKING:
    import torch

EXTEND = ModelSource(name="extend", folder="extended")


def extend_model(
    params: Mapping[str, Any], *, base: Path, sentences: Mapping[Path, Sequence[str]], record: Path
) -> None:
    """Write the extended model into `extended/`, and its `base.json` beside that.

    Args:
        params: `languages`, new ones by BCP 47 tag, each with the one whose token it begins as, or None for the mean of
            all; `pieces`, the number of new ones; `sides`, the side of each text that the sentences are of; `letters`,
            new ones, if there are any.
        base: `base.json` of the model.
        sentences: sentences of each text from which new pieces are learnt.
        record: `base.json` of the extended model.

    Raises:
        UserError: the model knows a language or a letter already or has no language tokens, letters can't be added to
            its vocabulary, or the text is too small.
    """
    origin = read_record(base)
    folder, target = Path(origin["folder"]), record.parent / EXTEND.folder
    key = f"models.{label_of(record.parent.name)}.extend"
    require_encoder(folder, key=key)
    first = read_json(folder / "config.json")["vocab_size"]
    with new_folder(target) as temporary:
        copy_files(folder, temporary)
        letters = params.get("letters", "")
        letter_rows = add_letters(temporary, letters, key=f"{key}.letters", first=first) if letters else []
        second = first + len(letters)
        languages, language_rows = new_languages(params["languages"], folder, key=key, first=second)
        texts = zip(params["sides"], sentences.values(), strict=True)
        text = [row for side, own in texts for row in words(temporary, own, side)]
        learnt = new_pieces(text, temporary, entries=params["pieces"])
        pieces = dict(enumerate(learnt, second + len(languages)))
        copy_weights(folder, temporary, [*letter_rows, *language_rows, *learnt])
        added = AddedVocabulary(languages, pieces)
        write_record(temporary / EXTENSION, written_extension(added))
    described = {
        "model": origin["model"],
        "base_sha256": sha256_of(base),
        "texts": {str(file): sha256_of(file) for file in sentences},
        "new_languages": len(languages),
        "new_pieces": len(learnt),
        **({"new_letters": len(letters)} if letters else {}),
        "tokens_before": sum(map(len, text)),
        "tokens_after": sum(len(added.shortened(row)) for row in text),
    }
    record_folder(params, target, key=key, record=record, origin=described, exposure=origin["exposure"])


def copy_files(folder: Path, target: Path) -> None:
    """Copy all files of a model but its weights into another folder."""
    for file in filter(Path.is_file, folder.iterdir()):
        if file.suffix != ".safetensors":
            shutil.copyfile(file, target / file.name)


def written_extension(added: AddedVocabulary) -> dict[str, Any]:
    """Return new languages and pieces as `extension.json` has them."""
    return {
        "languages": {tag: asdict(language) for tag, language in added.languages.items()},
        "pieces": {str(entry): list(replaced) for entry, replaced in added.pieces.items()},
    }


def copy_weights(folder: Path, target: Path, rows: Sequence[Row]) -> None:
    """Write the weights of a model into a folder with its other files, with new entries after the last ones.

    Args:
        folder: of the model.
        target: folder with the other files, whose config.json gets the number of entries.
        rows: entries whose rows have the mean with which the row of each new entry begins.
    """
    copy_with_entries(
        folder,
        target,
        lambda tensor, place: _with_means(tensor, place, rows),
        entries=read_json(folder / "config.json")["vocab_size"] + len(rows),
        keys={NEW_ENTRIES: len(rows)},
    )


def _with_means(tensor: "torch.Tensor", place: int, rows: Sequence[Row]) -> "torch.Tensor":
    """Return a tensor with new entries behind the others, each the mean of some of them."""
    import torch

    if not rows:
        return tensor
    replaced = (tensor.index_select(place, torch.tensor(row)).float() for row in rows)
    new = torch.stack([entries.mean(dim=place) for entries in replaced], dim=place)
    return torch.cat([tensor, new.to(tensor.dtype)], dim=place)


def new_languages(
    wanted: Mapping[str, str | None], folder: Path, *, key: str, first: int
) -> tuple[dict[str, AddedLanguage], list[Row]]:
    """Return new languages with their tokens, and the entries that the rows of these begin as the mean of.

    Args:
        wanted: new languages by BCP 47 tag, each with the one whose row it begins as; None for the mean of all.
        folder: of the model.
        key: of the configuration, for messages.
        first: number of the first new entry.

    Raises:
        UserError: the family has no language tokens, or the model knows a language already, or not the one to be like.
    """
    family, tokenizer = family_in(folder), load_tokenizer(folder)
    names = names_in(family, tokenizer)
    if wanted and names is None:
        raise UserError(f"'{key}.languages': {family.title} has no token for any language; take the key out.")
    tokens = {name: tokenizer.convert_tokens_to_ids((family.token or str)(name)) for name in names or ()}
    known = {name: names[name] for name, token in tokens.items() if token not in (None, tokenizer.unk_token_id)}
    languages, rows = {}, []
    for tag, like in wanted.items():
        if name := match(tag, known):
            raise UserError(f"'{key}.languages' names '{tag}', which the model knows as '{name}'; take it out.")
        stand_in = match(like, known) if like else next(iter(known))
        if stand_in is None:
            raise UserError(f"'{key}.languages.{tag}.like' is '{like}', which the model does not know; name another.")
        languages[tag] = AddedLanguage(id=first + len(rows), stand_in=stand_in)
        rows.append((tokens[stand_in],) if like else tuple(tokens[name] for name in known))
    return languages, rows


def new_pieces(text: Sequence[Sequence[int]], folder: Path, *, entries: int) -> list[Row]:
    """Learn new pieces from the tokens of a text; returns none where no entries are asked for."""
    if not entries:
        return []
    tokenizer = load_tokenizer(folder)
    return learn_pieces(text, tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))), entries=entries)


FIRST_CHARACTER = 0x20000
"""First character of a plane of Unicode in which all characters are of one script and none is normalised."""
BETWEEN_WORDS = "|"
LONGEST = 16
"""Most known pieces in a new piece."""


def learn_pieces(rows: Sequence[Sequence[int]], spelling: Sequence[str], *, entries: int) -> list[tuple[int, ...]]:
    """Return the most useful sequences of pieces, by byte pair encoding (Sennrich et al. 2016, arXiv 1508.07909).

    Each known piece is a character to sentencepiece, and no new piece spans two words.

    Args:
        rows: sentences in the tokenizer's ids, without special tokens.
        spelling: the tokenizer's pieces, of which those that begin a word start with sentencepiece's mark.
        entries: how many new pieces.

    Raises:
        UserError: the text does not have so many.
    """
    import sentencepiece

    seen = sorted({token for row in rows for token in row})
    character = {token: chr(FIRST_CHARACTER + place) for place, token in enumerate(seen)}
    piece_of = {own: token for token, own in character.items()}
    words = (_words([spelling[token].startswith(WORD_START) for token in row]) for row in rows)
    sentences = [
        BETWEEN_WORDS.join("".join(character[token] for token in row[first:last]) for first, last in places)
        for row, places in zip(rows, words, strict=True)
        if row
    ]
    model = BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type="bpe",
            vocab_size=SENTENCEPIECE_SPECIALS + len(seen) + entries,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentencepiece_length=LONGEST,
            pretokenization_delimiter=BETWEEN_WORDS,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(
            f"{entries} new pieces can't be learnt from {len(rows)} sentences; write a smaller number in "
            f"'extend.pieces.entries' (sentencepiece: {str(error).strip()})."
        ) from error
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    learnt = map(processor.id_to_piece, range(SENTENCEPIECE_SPECIALS, processor.get_piece_size()))
    return [tuple(piece_of[own] for own in piece) for piece in learnt if len(piece) > 1]


def _words(begins: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the first place of each word, and the place after its last one."""
    firsts = [place for place, is_first in enumerate(begins) if is_first or not place]
    return list(pairwise([*firsts, len(begins)]))

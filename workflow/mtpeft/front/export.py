"""Export a trained cell for others to use: as a whole Hugging Face model, as a peft folder, or for CTranslate2.

Every export is opened again as its page says, and must translate some sentences as the cell does. Without this check
nobody would notice a wrong merge, or languages or search settings that the folder lacks.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mtpeft.cells import Cell
from mtpeft.core.errors import UserError
from mtpeft.core.files import new_folder, read_record, sha256_of, write_record, write_text
from mtpeft.data.token_arrays import read_arrays
from mtpeft.decoding.ctranslate2_model import (
    convert_to_ctranslate2,
    require_ctranslate2,
    search_arguments,
    vocabulary_in,
)
from mtpeft.decoding.search import with_room_beside_prefix
from mtpeft.decoding.translator import Translator, load_cell
from mtpeft.front.cell_facts import facts_of
from mtpeft.front.export_checks import CLOSE, PROBES, logits, require_alike, require_same, translations
from mtpeft.front.export_page import (
    PAGE,
    Base,
    Use,
    ctranslate2_page,
    generation_settings,
    marian_page,
    merged_page,
    own_page,
    part_page,
    plainly_translated,
    set_generation_settings,
    set_tokenizer,
    translated_by_ctranslate2,
    usage_on,
)
from mtpeft.front.hub_card import hub_card
from mtpeft.methods import method_of
from mtpeft.methods.context_adapter import has_sets, keep_pair
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.task_ids import set_task_ids, task_id_of, task_modules
from mtpeft.models.load import STAGED_BASE, load_base
from mtpeft.models.marian_calibration import largest_activations
from mtpeft.models.marian_conversion import convert, to_marian
from mtpeft.models.marian_engine import FLOATS, INT8, VOCABULARY, write_engine_folder
from mtpeft.models.tokenizer import PairTokenizer, special_tokens_of
from mtpeft.training.finetune import save_tuned

CLOSE_IN_INT8 = 0.2
"""The same for weights in int8; a matrix that is stored wrongly differs by more than the largest logit."""


def export_cell(cell: str, to: Path, form: str, pair: str | None = None) -> None:
    """Write a cell's model into a new folder, whole or not at all.

    Args:
        cell: its folder or its six labels.
        to: a folder that is not there yet.
        form: `merged`, `peft`, `pair`, `ctranslate2`, `marian` or `hub`.
        pair: of a group, which one the tokenizer is set to.

    Raises:
        UserError: the folder is there, the cell is no trained model, or its method has no such form.
    """
    if to.exists():
        raise UserError(f"{to} is there already; name a new folder after --to.")
    with new_folder(to) as temporary:
        FORMS[form](cell, temporary, pair)


def _merged(cell: str, folder: Path, pair: str | None) -> None:
    """Write the whole model, with what was trained merged into it, and its tokenizer."""
    translator = load_cell(cell, pair)
    _refuse_extended(cell, translator.tokenizer)
    if key := translator.precision.key:
        raise UserError(
            f"'{key}' holds the base of {cell} in less than its weights have, and what was trained beside that would "
            "make another model of the whole base. Write `--as peft`."
        )
    before, expected, model = logits(translator.model, translator), translations(translator), translator.model
    if hasattr(model, "merge_and_unload"):
        try:
            model = model.merge_and_unload()
        except ValueError as error:
            raise UserError(f"{error} Write `--as peft`, which keeps it beside its base.") from error
    use = _use(cell, translator, pair)
    set_generation_settings(model, use)
    model.save_pretrained(folder)
    set_tokenizer(use).save_pretrained(folder)
    write_text(folder / PAGE, merged_page(use))
    require_alike(before, logits(load_base(folder).eval(), translator))
    opened, tokenizer = _as_others_open(folder, use)
    require_same(expected, plainly_translated(opened.to(translator.model.device), tokenizer, PROBES, use))


def _use(cell: str, translator: Translator, pair: str | None) -> Use:
    """Collect the languages, tokens and search options for translating with the model of a cell."""
    record = read_record(_cell_folder(cell) / "train.json")
    labels = Cell(**record["cell"])
    given = record["params"].get("members", {}).get(pair) or record["params"]["languages"]
    named = f"{labels.path}, {pair}" if labels.is_group else str(labels.path)
    special_tokens = with_room_beside_prefix(
        special_tokens_of(translator.tokenizer, translator.model.config), translator.model
    )
    return Use(named, (given["source"], given["target"]), translator.tokenizer, special_tokens, translator.options)


def _as_others_open(folder: Path, use: Use) -> tuple[Any, Any]:
    """Open the model and the tokenizer in a folder by transformers alone."""
    from transformers import AutoTokenizer

    return use.task.auto_model().from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def _refuse_extended(cell: str, tokenizer: PairTokenizer) -> None:
    """Refuse a model to whose vocabulary we have added entries: its tokenizer lacks them, so it needs this package."""
    if _has_own_entries(tokenizer):
        raise UserError(
            f"The model of {cell} has entries in its vocabulary that its tokenizer does not know; write `--as peft`, "
            "and translate with `mtpeft.load`."
        )


def _has_own_entries(tokenizer: PairTokenizer) -> bool:
    return bool(tokenizer.extension.languages or tokenizer.extension.pieces)


def _peft(cell: str, folder: Path, pair: str | None) -> None:
    """Write only what was trained, in a folder for each stage if there are any, with the name of its base."""
    _part(cell, folder, pair, base=_name_of_base(cell))


def _name_of_base(cell: str) -> tuple[str, str | None]:
    """How others open the base of a cell: the repository of a hub and its commit, or a folder of this machine."""
    _, base = _folders(cell)
    repository, _, revision = base["params"].get("hub", "").rpartition("@")
    return repository or str(Path(base["folder"]).absolute()), revision or None


def _part(cell: str, folder: Path, pair: str | None, *, base: tuple[str, str | None]) -> None:
    tuned, _ = _folders(cell)
    if not list(tuned.rglob("adapter_config.json")):
        raise UserError(f"{tuned} is a whole model, not a part of one; write `--as merged`.")
    translator = load_cell(cell, pair)
    shutil.copytree(tuned, folder, dirs_exist_ok=True)
    train = read_record(tuned.parent / "train.json")
    task_id = task_id_of(train["params"], pair or train["cell"]["pair"])
    _finish_part(cell, folder, pair, translator, task_id=task_id, base=base)


def _of_pair(cell: str, folder: Path, pair: str | None) -> None:
    """Write what a cell on several pairs has trained for the languages of one of them alone."""
    tuned, _ = _folders(cell)
    params = read_record(tuned.parent / "train.json")["params"]
    translator = load_cell(cell, pair)
    if "members" not in params or not has_sets(translator.model):
        raise UserError(
            f"{cell} has no sets of parameters for each language of several pairs, of which some could be handed over; "
            "write `--as peft`."
        )
    keep_pair(translator.model, task_id_of(params, str(pair)))
    save_tuned(translator.model, folder / "part", diverged=False)
    for file in (folder / "part").iterdir():
        file.rename(folder / file.name)
    (folder / "part").rmdir()
    _finish_part(cell, folder, pair, translator, task_id=0, base=_name_of_base(cell))


def _finish_part(
    cell: str,
    folder: Path,
    pair: str | None,
    translator: Translator,
    *,
    task_id: int | None,
    base: tuple[str, str | None],
) -> None:
    """Name the base in a peft folder, write its page, and compare what it computes with what the translator does."""
    tuned, record = _folders(cell)
    configs = [file.relative_to(folder) for file in folder.rglob("adapter_config.json")]
    before, expected, use = (
        logits(translator.model, translator),
        translations(translator),
        _use(cell, translator, pair),
    )
    named = Base(*base, translator.precision)
    for config in configs if not (tuned / STAGED_BASE).exists() else ():
        own = {"base_model_name_or_path": named.name, "revision": named.revision}
        write_record(folder / config, read_record(folder / config) | own)
    opened = open_tuned(Path(record["folder"]), folder, translator.precision).to(translator.model.device).eval()
    set_task_ids(opened, task_id)
    require_alike(before, logits(opened, translator))
    if why := _needs_this_package(translator.tokenizer, tuned):
        call = ", ".join([f'"{tuned.parent.absolute()}"', *([f'pair="{pair}"'] if pair else [])])
        write_text(folder / PAGE, own_page(use, call, why))
        return
    generation_settings(use).save_pretrained(folder)
    set_tokenizer(use).save_pretrained(folder)
    own_id = task_id if task_modules(opened) else None
    write_text(folder / PAGE, part_page(use, named, staged=configs[0].parent != Path("."), task_id=own_id))
    set_generation_settings(opened, use)
    require_same(expected, plainly_translated(opened, translator.tokenizer.pretrained, PROBES, use))


def _needs_this_package(tokenizer: PairTokenizer, tuned: Path) -> str:
    """Say why transformers and peft can't translate with a folder without this package; empty where they can."""
    if _has_own_entries(tokenizer):
        return "The vocabulary of its base has entries that its tokenizer does not know."
    if (tuned / STAGED_BASE).exists():
        return "Its stages train the base as well, which is a folder beside theirs."
    return ""


def _ctranslate2(cell: str, folder: Path, pair: str | None) -> None:
    """Write the merged model for CTranslate2, a quick engine that translates and does not train."""
    instead = "write `--as merged`"
    require_ctranslate2("`--as ctranslate2` is asked for", instead=instead)
    translator = load_cell(cell, pair)
    if translator.tokenizer.family.task.is_prompted:
        raise UserError(f"The model of {cell} is a decoder-only one, with which CTranslate2 is not tried; {instead}.")
    merged = folder / "merged"
    merged.mkdir()
    _merged(cell, merged, pair)
    _write_first_token(merged, translator.tokenizer)
    family = translator.tokenizer.family
    opened = _as_others_open(merged, _use(cell, translator, pair))
    convert_to_ctranslate2(*opened, folder / "converted", family=family, instead=instead)
    for file in (folder / "converted").iterdir():
        file.rename(folder / file.name)
    (folder / "converted").rmdir()
    shutil.rmtree(merged)
    use = replace(_use(cell, translator, pair), search=translator.options.model_copy(update={"beam_size": 1}))
    set_tokenizer(use).save_pretrained(folder)
    arguments = search_arguments(use.special_tokens, vocabulary_in(folder), family=family, instead=instead)
    write_text(folder / PAGE, ctranslate2_page(replace(use, search=translator.options), arguments))
    # Beam search differs from engine to engine, so the check is by greedy search.
    greedy = replace(translator, options=use.search)
    require_same(translations(greedy), translated_by_ctranslate2(folder, PROBES, use, arguments))


def _write_first_token(folder: Path, tokenizer: PairTokenizer) -> None:
    """Put back what the converter reads from published tokenizers of mBART-50 and transformers does not write."""
    file = folder / "tokenizer_config.json"
    first = tokenizer.pretrained.bos_token or tokenizer.pretrained.cls_token
    write_record(file, read_record(file) | ({"bos_token": first} if first else {}))


Write = Callable[[str, Path, str | None], None]
BASE_BESIDE = "base"
"""Folder of the base model inside of a folder for a hub."""


def _marian(cell: str, folder: Path, pair: str | None) -> None:
    """Write the merged model of a student in Marian's own files, and read them again as a check.

    What it can't write, `<pad>` and the entries that fill up the vocabulary, is left out of the comparison.
    """
    translator = load_cell(cell, pair)
    use, family = _use(cell, translator, pair), translator.tokenizer.family
    if not use.is_student:
        raise UserError(
            f"{cell} is a model of the family {family.title}; `--as marian` is for students of Marian alone."
        )
    expected = logits(translator.model, translator)
    merged, again = folder / "merged", folder / "again"
    merged.mkdir()
    _merged(cell, merged, pair)
    model = load_base(merged).eval()
    write_engine_folder(
        to_marian(model),
        folder,
        vocabulary=merged / "source.spm",
        activations=largest_activations(model, _dev_inputs(cell, translator, pair)),
    )
    known = model.config.vocab_size - 1
    for file, close in ((FLOATS, CLOSE), (INT8, CLOSE_IN_INT8)):
        convert(folder / file, vocabulary=folder / VOCABULARY, folder=again)
        found = logits(load_base(again).eval(), translator)
        require_alike([own[..., :known] for own in expected], [own[..., :known] for own in found], close=close)
        shutil.rmtree(again)
    shutil.rmtree(merged)
    write_text(folder / PAGE, marian_page(use))


def _dev_inputs(cell: str, translator: Translator, pair: str | None) -> Iterator[dict[str, torch.Tensor]]:
    """Yield the sentences of a cell's dev set, as the decoder reads them in training.

    Raises:
        UserError: its token arrays are gone.
    """
    record = read_record(_cell_folder(cell) / "train.json")
    base = Path(record["inputs"]["base"]).parent.name
    found = Path("data/tokens", base).glob(f"{pair or record['cell']['pair']}-*/dev.safetensors")
    # Of a group, the hash of each pair bears its label.
    recorded = record["inputs"].get("dev_sha256") or record["inputs"][f"dev_{pair}_sha256"]
    arrays = next((file for file in sorted(found) if sha256_of(file) == recorded), None)
    if arrays is None:
        raise UserError(
            f"The dev set of {cell}, by which the scales of int8 are found, is no longer in data/tokens/{base}/; run "
            "its study again, which makes it."
        )
    pairs, begin = read_arrays(arrays), translator.model.config.decoder_start_token_id
    for row in range(len(pairs.source)):
        target = torch.cat([torch.tensor([begin]), pairs.target[row][:-1]])
        yield {"input_ids": pairs.source[row][None], "decoder_input_ids": target[None]}


def _hub(cell: str, folder: Path, pair: str | None) -> None:
    """Write a folder for a model hub, which needs nothing of this machine, with a page for it.

    Where a hub has the base, it is the part that was trained. Otherwise it is the whole model, or the part with its
    base beside it if it can't be merged.
    """
    translator = load_cell(cell, pair)
    tuned, base = _folders(cell)
    facts = facts_of(tuned.parent, pair)
    if why := _needs_this_package(translator.tokenizer, tuned):
        raise UserError(f"{why} Nobody else could open {cell}, so there is no form of it for a hub.")
    is_part = bool(list(tuned.rglob("adapter_config.json")))
    is_kept_apart = is_part and (facts.base or not method_of(facts.train["params"]["method"]).mergeable)
    if not is_kept_apart:
        _merged(cell, folder, pair)
    elif facts.base:
        _peft(cell, folder, pair)
    else:
        _part(cell, folder, pair, base=(BASE_BESIDE, None))
        shutil.copytree(base["folder"], folder / BASE_BESIDE)
    usage = usage_on((folder / PAGE).read_text(encoding="utf-8"))
    write_text(folder / PAGE, hub_card(facts, usage, "peft" if is_kept_apart else "transformers"))


FORMS: dict[str, Write] = {
    "merged": _merged,
    "peft": _peft,
    "pair": _of_pair,
    "ctranslate2": _ctranslate2,
    "marian": _marian,
    "hub": _hub,
}


def _cell_folder(cell: str) -> Path:
    return Path(cell) if (Path(cell) / "train.json").exists() else Cell.find(cell).folder


def _folders(cell: str) -> tuple[Path, dict[str, Any]]:
    """The folder with what was trained, and the record of the base model."""
    folder = _cell_folder(cell)
    return folder / "tuned", read_record(Path(read_record(folder / "train.json")["inputs"]["base"]))

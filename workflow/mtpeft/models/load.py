"""Open models: a base model, a trained cell, and the device and threads that they run on."""

import ctypes
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import nn

from mtpeft.cells import Cell
from mtpeft.checksums import require_base, require_whole
from mtpeft.corpus.normalisation import normalised_line
from mtpeft.decoding.search import Search, translate
from mtpeft.errors import UserError
from mtpeft.methods.outside import bring_in_for
from mtpeft.models.frozen import WHOLE, Frozen, frozen_in, loading_options, represented, require_quantisation, settle
from mtpeft.models.shapes import NEW_ENTRIES
from mtpeft.models.weight_files import read_heads, weight_files
from mtpeft.models.weights import quiet_loading, refuse_other_weights
from mtpeft.records import read_record
from mtpeft.tokens.codec import Codec, Side, encode, frame_of, open_codec, text_of
from mtpeft.tokens.losses import LossWarning, losses
from mtpeft.training.domains import domain_of, say_domains

if TYPE_CHECKING:
    from transformers import PreTrainedModel


RANK_COUNT = ".ranknum."
"""In the names of parameters of AdaLoRA that are numbers of ranks."""
STAGE = "stage"
"""Beginning of the name of a folder that holds a stage of a method; its number follows."""
STAGED_BASE = "base"
"""Name of the folder that holds the base, where stages train it as well."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters in glibc's malloc.h."""
MEGABYTE = 2**20


def prepare_torch(threads: int) -> torch.device:
    """Set torch's threads and make it repeat itself exactly; returns the device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it CUDA's matrix products may differ
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Else every new tensor is filled with NaN first, to show who reads what was never written: a fifth of an update.
    torch.utils.deterministic.fill_uninitialized_memory = False
    keep_freed_memory()
    return device_here()


def device_here() -> torch.device:
    """The device that models run on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Have the C library keep what tensors free for the next ones, where it is glibc.

    By default it gives much of that back to the kernel, which fills its pages with zeros when the next tensor takes
    them: 400 to 2,200 page faults in each update of the default study, and about a tenth of its time. See mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, 32 * MEGABYTE)
        mallopt(M_TRIM_THRESHOLD, 512 * MEGABYTE)


def load_base(folder: Path, frozen: Frozen = WHOLE, **overrides: Any) -> "PreTrainedModel":
    """The model in a Hugging Face folder, in 32-bit floats or as it is held frozen.

    Keys of its configuration can be overridden. A quantised model is on its device already.

    Raises:
        UserError: it can't be quantised here, or the weights in the folder are not all those of the model.
    """
    from transformers import AutoModelForSeq2SeqLM

    require_quantisation(frozen, device_here())
    files = weight_files(folder, key=str(folder))
    try:
        with quiet_loading():
            model, report = AutoModelForSeq2SeqLM.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **loading_options(frozen),
                **overrides,
            )
    except (SafetensorError, OSError) as error:
        read_heads(files)  # says which file is broken
        raise UserError(f"The model in {folder} can't be opened: {error}") from error
    refuse_other_weights(model, report, folder)
    if getattr(model.config, "decoder_start_token_id", None) is None:
        model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id
    settle(model)
    for table in _sinusoids(model):
        table.requires_grad_(False)
    return model


def random_model(config: Mapping[str, Any], *, seed: int, **overrides: Any) -> "PreTrainedModel":
    """A model of the same architecture with random weights.

    Transformers ties the output projection of T5 and mT5 to the embeddings even where their configuration says that
    it is not.
    """
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    torch.manual_seed(seed)
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(**{**config, **overrides}))
    output = model.get_output_embeddings()
    if not config.get("tie_word_embeddings", True) and output.weight is model.get_input_embeddings().weight:
        output.weight = nn.Parameter(torch.randn_like(output.weight) / output.in_features**0.5)
    return model


def parameters(model: nn.Module) -> tuple[int, int]:
    """Number of all parameters and of the trainable ones, tied weights counted once, quantised ones as what they were.

    Sinusoids, which Marian models hold as parameters, are not learnt and not counted, nor are ranks, which AdaLoRA
    holds so.
    """
    fixed = {id(parameter) for table in _sinusoids(model) for parameter in table.parameters()}
    counts = ((name, parameter) for name, parameter in model.named_parameters() if RANK_COUNT in name)
    fixed |= {id(parameter) for _, parameter in counts if not parameter.requires_grad}
    unique = {id(x): x for x in model.parameters() if id(x) not in fixed}.values()
    return sum(map(represented, unique)), sum(represented(x) for x in unique if x.requires_grad)


def _sinusoids(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if "Sinusoidal" in type(module).__name__]


def open_tuned(base: Path, tuned: Path, frozen: Frozen = WHOLE) -> nn.Module:
    """The model that a cell's `tuned/` folder and its base, held as it was in training, make together.

    A folder with an adapter_config.json is a peft folder, one with a config.json a whole model, an empty one the base;
    one with folders in it holds the stages of a method.
    """
    if stages := sorted(tuned.glob(f"{STAGE}*"), key=lambda folder: int(folder.name.removeprefix(STAGE))):
        return _open_stages(base, tuned, stages, frozen)
    if (tuned / "adapter_config.json").exists():
        from peft import PeftModel

        from mtpeft.tuners.new_entries import split_new_entries

        model = load_base(base, frozen)
        if NEW_ENTRIES in (read_record(tuned / "adapter_config.json").get("modules_to_save") or ()):
            split_new_entries(model)
        return PeftModel.from_pretrained(model, tuned, local_files_only=True)
    return load_base(tuned) if (tuned / "config.json").exists() else load_base(base, frozen)


def _open_stages(base: Path, tuned: Path, stages: Sequence[Path], frozen: Frozen) -> nn.Module:
    from mtpeft.tuners.stages import StagedModel

    trained = tuned / STAGED_BASE
    model = StagedModel(load_base(trained) if trained.exists() else load_base(base, frozen))
    for stage in stages:
        model.open(stage)
    return model


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

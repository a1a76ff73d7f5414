"""The section `corpora` of config.yaml: the text, where it comes from, how it is cleaned and split."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, PositiveInt

from mtpeft.config.models import origin_of, vocabulary_pairs
from mtpeft.config.pairs import pair_languages
from mtpeft.core.forms import MEMBERS, SHA256, DatasetId, Language, Share
from mtpeft.core.section import Section, later

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class Wheel(Section):
    """Message catalogues inside a Python wheel, which is downloaded and read, never installed."""

    version: str = Field(description="Exact version.")
    sha256: str = Field(pattern=SHA256, description="Hash of the wheel file.")
    format: Literal["json", "gettext"] = Field(description="Format of the catalogues.")
    members: str = Field(pattern=MEMBERS, description="Where they lie, with {language}, * and ** in it.")
    languages: dict[Language, str] = Field(default={}, description="What the wheel calls a language, where it differs.")
    python: str | None = Field(default=None, description="Python version that the wheel asks for, where ours is older.")


class TextFiles(Section):
    """Files of one part of a corpus: one per language, line-aligned, or one that holds all languages.

    Each may be compressed, with a name that ends with .gz, .xz or .zst.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Language, str]

    tsv: str | None = Field(default=None, description="A tab-separated file.")
    csv: str | None = later(None, description="A comma-separated file with quotes as in RFC 4180.")
    jsonl: str | None = later(None, description="A file with one JSON object per line.")
    tmx: str | None = later(None, description="A translation memory; 'written_in' of the corpus is needed.")
    columns: dict[Language, str | int] = Field(
        default={}, description="Column of each language: header or number, or the key in JSON, as translation.sw."
    )

    @property
    def both_sides(self) -> dict[str, str]:
        """The file that holds all languages, by its form; more than one is a mistake."""
        forms = ("tsv", "csv", "jsonl", "tmx")
        return {form: path for form in forms if (path := getattr(self, form))}

    @property
    def sides(self) -> dict[str, str]:
        """The files of one language each."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def languages(self) -> list[str] | None:
        """The languages that are named, or None where the file itself says which it has."""
        return None if self.tmx else list(self.columns or self.sides)


class Datasets(Section):
    """Published text by mtdata's ids; those of a part are put together.

    {foreign} in an id is the language of each pair that the corpus was not written in.
    """

    train: list[DatasetId] = Field(min_length=1, description="Ids of the text; all of it, or the training part.")
    dev: list[DatasetId] = Field(default=[], description="Ids of the dev set; otherwise we split.")
    test: list[DatasetId] = Field(default=[], description="Ids of the test set; otherwise we split.")
    sha256: dict[DatasetId, Annotated[str, Field(pattern=SHA256)]] = Field(
        default={}, description="Hash of the file that is downloaded for an id; of two files, one after the other."
    )


class Cleaning(Section):
    """What is done to training text. Empty keys have the value that is usual for the kind of corpus: messages of
    catalogues are full of markup and labels, files and datasets are taken for prose, of which nothing is changed.
    """

    max_characters: PositiveInt | None = Field(
        default=None, description="Longest side, in characters. Empty: 180 for wheels, 1000 for prose."
    )
    max_words: PositiveInt | None = Field(
        default=None, description="Longest side, in words. Empty: 30 for wheels, 200 for prose."
    )
    max_length_ratio: Annotated[float, Field(ge=1)] | None = Field(
        default=None, description="Longer by shorter side, in characters. Empty: 3 for wheels, 9 for prose."
    )
    markup: bool | None = Field(
        default=None,
        description="Take off tags, links, entities, signs of emphasis and of list items, and take out what still has "
        "signs of a template. Empty: for wheels.",
    )
    placeholders: bool | None = Field(
        default=None,
        description="Words such as VAR0 and URL0 for placeholders, code, addresses; pairs whose sides have different "
        "ones are taken out. Empty: for wheels.",
    )
    sentences: bool | None = Field(
        default=None, description="Cut text into its sentences where both sides have equally many. Empty: for wheels."
    )
    letters: bool | None = Field(
        default=None, description="Take out pairs with a side that has no letter. Empty: for wheels."
    )
    same_text: bool | None = Field(
        default=None, description="Take out pairs whose sides are the same text. Empty: for all."
    )
    duplicates: Literal["sentences", "pairs", "keep"] | None = Field(
        default=None,
        description="What stays of text that stands several times: one pair of each sentence of the language written "
        "in, one of equal pairs, or all. Empty: sentences for wheels, pairs for prose.",
    )
    script: Share | None = Field(
        default=None,
        description="Least share of a side's letters that are of its language's script. Empty: not looked at.",
    )
    language: Share | None = Field(
        default=None,
        description="Least probability that a side is in its language, by an identifier. Empty: not looked at.",
    )


class Split(Section):
    """How many sentences are set aside; the same ones for every language."""

    present_in: list[Language] = Field(
        default=[],
        description="Dev, test and fine-tuning sentences of a corpus of wheels or datasets exist in all of these; "
        "adding a pair in another language changes none of them. Empty, or where datasets give dev or test: in the "
        "languages of all pairs of the corpus. A corpus of files takes those of its first pair, or of all if it gives "
        "dev or test.",
    )
    dev: PositiveInt = Field(default=300, description="Sentences on which checkpoints are chosen.")
    test: PositiveInt = Field(default=1000, description="Sentences that only decoding and scoring see.")
    train: PositiveInt | None = Field(
        default=None,
        description="Sentences for fine-tuning, as long as those of the test set; what is left is for pre-training. "
        "Empty: all.",
    )
    words: list[PositiveInt] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="Shortest and longest sentence drawn. Empty: [3, 20] for wheels, [3, 60] for prose.",
    )
    near_duplicate: Share = Field(
        default=0.6, description="Character 4-gram Dice with a dev or test sentence at which a sentence is removed."
    )


class MoreText(TextFiles):
    """A further test set: the user's files, or published text by mtdata's ids."""

    mtdata: list[DatasetId] = Field(default=[], description="Ids, put together, in the place of files.")


class Corpus(Section):
    """A parallel corpus, from wheels, from one's own files or from published datasets."""

    wheels: dict[str, Wheel] = Field(default={}, description="Wheels whose catalogues are put together.")
    files: TextFiles | None = Field(default=None, description="Own text; all of it, or the training part.")
    dev_files: TextFiles | None = Field(default=None, description="Own dev set; otherwise we split.")
    test_files: TextFiles | None = Field(default=None, description="Own test set; otherwise we split.")
    mtdata: Datasets | None = Field(default=None, description="Datasets that mtdata fetches.")
    more_tests: dict[str, MoreText] = Field(
        default={}, description="Further test sets by name, taken as they are; cells are scored on all of them."
    )
    written_in: Language | None = Field(
        default=None, description="Language that the text was written in; sentences are told apart by it."
    )
    clean: Cleaning = Cleaning()
    split: Split = Split()


def languages_of(corpus: Corpus) -> list[str] | None:
    """Languages of a corpus made of files, or None where its wheels, its datasets or its translation memory decide."""
    return corpus.files.languages if corpus.files else None


def written_in(corpus: Corpus) -> str:
    """The language by which a corpus tells its sentences apart."""
    return corpus.written_in or (languages_of(corpus) or [""])[0]


def anchor_pairs(configuration: "Configuration", corpus: str) -> list[str]:
    """Pairs whose text decides which sentences are dev, test and for fine-tuning: one per language of `present_in`.

    Where the user gives dev or test, all pairs decide, since each may have its own.
    """
    entry = configuration.corpora[corpus]
    pairs = [label for label, pair in configuration.pairs.items() if pair.corpus == corpus]
    datasets = entry.mtdata is not None and bool(entry.mtdata.dev or entry.mtdata.test)
    if datasets or entry.dev_files or entry.test_files:
        return pairs
    if entry.files or not entry.split.present_in:
        return pairs[:1] if entry.files else pairs
    wanted = {frozenset((language, written_in(entry))) for language in entry.split.present_in}
    found = {frozenset(pair_languages(configuration, pair)): pair for pair in reversed(pairs)}
    return sorted(found[languages] for languages in wanted if languages in found)


def used_corpora(configuration: "Configuration") -> list[str]:
    """Corpora whose text is used, sorted: by studies, by the search for learning rates, or to pre-train a model."""
    studies = [block for study in configuration.studies.values() for block in study.blocks]
    pairs = {pair for study in studies for pair in (*study.members, *study.also_score)}
    pairs.update(configuration.rate_search.all_pairs if configuration.rate_search else [])
    for model in {origin_of(configuration, model) for study in studies for model in study.models}:
        if configuration.models[model].pretrain:
            pairs.update(vocabulary_pairs(configuration, model))
    return sorted({configuration.pairs[pair].corpus for pair in pairs})

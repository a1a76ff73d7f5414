"""Digests by which folders of equal labels are told apart."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mtpeft.cells import DIGEST_DIGITS


def digest_of(settings: Mapping[str, Any], *upstream: Any) -> str:
    """Short digest of what something is made from: settings without the version of their step, and other digests."""
    told = [{key: value for key, value in settings.items() if key != "recipe"}, *upstream]
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]

"""Metrics of the step `score`: the numbers that they keep of each sentence decide the score of the corpus."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sacrebleu import metrics as sacrebleu

from mtpeft.metrics.base import METRICS, computed_metrics
from mtpeft.metrics.score import score_corpus

HYPOTHESES = ["The page was not found", "打开那个文件", "ファイルを開く", "Turn the light on in the hall", "文件"]
REFERENCES = ["This page was not found", "打开这个文件", "ファイルを開く", "Turn off the light in the hall", ""]
LANGUAGES = ("en", "de-AT", "zh", "zh-Hans", "ja", "ko")


def scores_of(hypotheses: Sequence[str], references: Sequence[str], language: str) -> dict[str, dict[str, Any]]:
    metrics = [METRICS[name] for name in computed_metrics()]
    return score_corpus(hypotheses, references, language, metrics=metrics)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", computed_metrics())
def test_the_corpus_score_follows_from_the_sums_of_the_sentences(name: str, language: str) -> None:
    scored = scores_of(HYPOTHESES, REFERENCES, language)[name]

    again = METRICS[name].corpus_score(np.array(scored["statistics"]).sum(0))

    assert len(scored["statistics"]) == len(HYPOTHESES)
    assert float(again) == pytest.approx(scored["score"], abs=1e-9)
    assert scored["score"] > 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_recorded_score_is_that_of_sacrebleu_to_the_bit(language: str) -> None:
    scored = scores_of(HYPOTHESES, REFERENCES, language)
    tokenizer = {"zh": "zh", "zh-Hans": "zh", "ja": "char", "ko": "char"}.get(language, "13a")
    spaces = language in ("en", "de-AT", "ko")
    for name, scorer in (
        ("chrf", sacrebleu.CHRF()),
        ("bleu", sacrebleu.BLEU(tokenize=tokenizer)),
        ("ter", sacrebleu.TER() if spaces else sacrebleu.TER(normalized=True, asian_support=True)),
    ):
        assert scored[name]["score"] == scorer.corpus_score(HYPOTHESES, [REFERENCES]).score
        assert scored[name]["signature"] == f"{scorer.get_signature()}|text:NFC"


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [
        *((language, "13a") for language in ("en", "de", "eng", "zh-Latn", "ja-Latn", "vi", "hi", "am", "jv", "x-own")),
        *((language, "zh") for language in ("zh", "zho", "cmn", "yue", "wuu", "zh-Hant", "zh_CN", "lzh")),
        *((language, "char") for language in ("ja", "jpn", "ko", "kor", "th", "tha", "lo", "lao", "km", "khm")),
        *((language, "char") for language in ("my", "mya", "shn", "bo", "bod", "dz", "dzo", "ban-Bali", "jv-Java")),
    ],
)
def test_bleu_tokenises_by_the_target_language(language: str, tokenizer: str) -> None:
    scored = scores_of(["打开 文件"], ["打开 文件"], language)
    assert f"|tok:{tokenizer}|" in scored["bleu"]["signature"]
    assert scored["chrf"]["signature"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|")

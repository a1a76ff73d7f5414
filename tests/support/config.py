"""Wrong configurations: each an overlay over config.yaml, how its sentence begins, and what else is in it."""

from pathlib import Path
from typing import Any

from mtpeft.config.load import merge, read_yaml
from support.default import DEFAULT
from support.own_files import WRONG_FILES
from support.rate_search_cases import WRONG_RATE_SEARCHES
from support.wrong_stages import WRONG_STAGES

PRETRAIN_FILE = Path(__file__).parents[2] / "workflow" / "studies" / "pretrain.yaml"
PRETRAINED = merge(merge(DEFAULT, read_yaml(PRETRAIN_FILE)), {"models": {"shallow": None}})
"""The default configuration with models that the workflow pre-trains."""
SMALL = PRETRAINED["models"]["small"]
STUDY = {"models": ["small"], "pairs": ["pt-en"], "sizes": ["n100"], "methods": ["full"], "seeds": [1]}


def pretrained(**changes: Any) -> dict[str, Any]:
    """An overlay that has `small` pre-trained, with changes."""
    return {"models": {"small": merge(SMALL, {"pretrain": changes})}}


def lora_rate(rate: Any) -> dict[str, Any]:
    """An overlay with another learning rate for LoRA."""
    return {"methods": {"lora": {"learning_rate": rate}}}


def also(*blocks: dict[str, Any]) -> dict[str, Any]:
    """An overlay with other further cells for the study of budgets."""
    return {"studies": {"budgets": {"also": list(blocks)}}}


WRONG: list[tuple[Any, ...]] = [
    *WRONG_STAGES,
    # a misspelt key, at every level
    ({"study": {}}, "'study' is not a key of the configuration; did you mean 'studies'?"),
    ({"corpora": {"interface": {"cleann": {}}}}, "'corpora.interface.cleann' is not a key", "'clean'?"),
    ({"corpora": {"interface": {"clean": {"max_word": 3}}}}, "'corpora.interface.clean.max_word' is", "'max_words'?"),
    (
        {"corpora": {"interface": {"wheels": {"django": {"versoin": "1"}}}}},
        "'corpora.interface.wheels.django.versoin' is not a key",
        "'version'?",
    ),
    ({"corpora": {"interface": {"split": {"trian": 3}}}}, "'corpora.interface.split.trian' is not", "'train'?"),
    ({"pairs": {"es-en": {"corpsu": "interface"}}}, "'pairs.es-en.corpsu' is not a key", "'corpus'?"),
    ({"sizes": {"n100": {"update": 1}}}, "'sizes.n100.update' is not a key", "'updates'?"),
    ({"models": {"small": {"pretrian": {}}}}, "'models.small.pretrian' is not a key", "'pretrain'?"),
    (pretrained(layer=3), "'models.small.pretrain.layer' is not a key", "'layers'?"),
    ({"methods": {"lora": {"learningrate": 1}}}, "'methods.lora.learningrate' is not a key", "'learning_rate'?"),
    (
        {"methods": {"lora": {"width": 8}}},
        "'methods.lora.width' is not a key of the configuration; known keys here are 'b_rate', 'dora', 'embeddings', "
        "'initialisation', 'layers', 'learning_rate', 'losses', 'method', 'rank', 'rank_stabilised', 'scaling', "
        "'start_from'.",
    ),
    ({"studies": {"budgets": {"bugdets": ["b1"]}}}, "'studies.budgets.bugdets' is not a key", "'budgets'?"),
    ({"training": {"label_smoothign": 0.1}}, "'training.label_smoothign' is not a key", "'label_smoothing'?"),
    ({"decoding": {"beamsize": 2}}, "'decoding.beamsize' is not a key", "'beam_size'?"),
    (
        {"corpora": {"own": {"files": {"tsv": "text.tsv", "colums": {"sw": 0, "en": 1}}}}},
        "'corpora.own.files.colums' is not a key",
        "'columns'?",
    ),
    # what is missing
    ({"methods": {"new": {"method": "lora"}}}, "'methods.new.learning_rate' is missing; write it"),
    (
        {"methods": {"new": {"learning_rate": 1}}},
        "'methods.new.method' is missing; write which method",
        "'adapter', 'b",
    ),
    (
        {"methods": {"new": {"method": "loar"}}},
        "'methods.new.method' is 'loar', which is no method; did you mean 'lora'",
    ),
    ({"sizes": {"n300": {"pairs": 300}}}, "'sizes.n300.updates' is missing; write it"),
    ({"studies": None}, "'studies' is missing"),
    # a value of the wrong kind
    (lora_rate("fast"), "'methods.lora.learning_rate' is 'fast'; write a number."),
    (lora_rate(-1), "'methods.lora.learning_rate' is -1; write a number above 0."),
    (
        lora_rate({"search": None, "n100": "fast", "default": 1}),
        "'methods.lora.learning_rate.n100' is 'fast'; write a number.",
    ),
    ({"methods": {"adapter": {"activation": "rel"}}}, "'methods.adapter.activation' is 'rel'; write 'relu', 'gelu' or"),
    ({"methods": {"lora": {"losses": ["unlikely"]}}}, "'methods.lora.losses.0' is 'unlikely'; write 'unlikelihood' or"),
    ({"methods": {"new": 3}}, "'methods.new' is 3; write keys and values."),
    ({"sizes": {"n100": {"updates": -5}}}, "'sizes.n100.updates' is -5; write a number above 0."),
    ({"sizes": {"n100": {"updates": "many"}}}, "'sizes.n100.updates' is 'many'; write a whole number."),
    ({"sizes": {"n100": {"updates": 2.5}}}, "'sizes.n100.updates' is 2.5; write a whole number."),
    ({"budgets": {"b1": 1.5}}, "'budgets.b1' is 1.5; write a number below 1."),
    ({"budgets": {"b1": 0}}, "'budgets.b1' is 0; write a number above 0."),
    ({"budgets": {"b1": "1%"}}, "'budgets.b1' is '1%'; write a number."),
    ({"margin": float("inf")}, "'margin' is inf; write a finite number."),
    ({"studies": {"budgets": {"seeds": ["one"]}}}, "'studies.budgets.seeds.0' is 'one'; write a whole number."),
    ({"studies": {"budgets": {"pairs": "es-en"}}}, "'studies.budgets.pairs' is 'es-en'; write a list"),
    ({"studies": {"budgets": {"methods": []}}}, "'studies.budgets.methods' has too few entries (0); write at least 1."),
    ({"studies": {"mine": ["small"]}}, "'studies.mine' is a list; write keys and values."),
    (pretrained(pairs=[]), "'models.small.pretrain.pairs' has too few entries (0)"),
    (
        {"corpora": {"interface": {"wheels": {"django": {"sha256": "abc"}}}}},
        "'corpora.interface.wheels.django.sha256' is 'abc'; write the 64 hexadecimal digits",
    ),
    (
        {"corpora": {"interface": {"wheels": {"django": {"members": "a/*.po"}}}}},
        "'corpora.interface.wheels.django.members' is 'a/*.po'; write a path with {language} in it",
    ),
    (
        {"corpora": {"interface": {"wheels": {"django": {"version": 5.2}}}}},
        "'corpora.interface.wheels.django.version' is 5.2; write it in quotes",
    ),
    ({"corpora": {"interface": {"split": {"words": [5]}}}}, "'corpora.interface.split.words' has too few entries (1)"),
    ({"corpora": {"interface": {"split": {"words": [20, 3]}}}}, "'corpora.interface.split.words' is [20, 3]; write th"),
    ({"pairs": {"es-en": {"source": "Spanish text"}}}, "'pairs.es-en.source' is 'Spanish text'; write a language code"),
    # Norwegian, as YAML reads it
    ({"corpora": {"own": {"files": {False: "a", "en": "b"}}}}, "'corpora.own.files' has a key that YAML reads as fals"),
    (
        {"corpora": {"interface": {"split": {"present_in": [False]}}}},
        "'corpora.interface.split.present_in.0' is false; write it in quotes",
    ),
    ({"corpora": {"own": {"files": {"e n": "a", "sw": "b"}}}}, "'corpora.own.files' has the key 'e n'; write a langua"),
    ({"budgets": {1: 0.1}}, "'budgets' has a key that YAML reads as 1; put the key in quotes."),
    # labels
    ({"budgets": {"a/b": 0.1}}, "'budgets' has the label 'a/b', which is unsafe in a path; use letters"),
    ({"sizes": {"n 9": {"pairs": 9, "updates": 9}}}, "'sizes' has the label 'n 9', which is unsafe in a path"),
    ({"studies": {"..": {"figure": "models", **STUDY}}}, "'studies' has the label '..', which is unsafe in a path"),
    ({"budgets": {"any": 0.1}}, "'budgets' has the label 'any', which has a meaning of its own; choose another one."),
    ({"studies": {"efficiency": {"figure": "models", **STUDY}}}, "'studies' has the label 'efficiency', which has"),
    # labels that no catalogue has
    (
        {"studies": {"budgets": {"models": ["smal"]}}},
        "'studies.budgets.models' names 'smal', which is not in 'models'; ",
    ),
    ({"studies": {"budgets": {"pairs": ["es-em"]}}}, "'studies.budgets.pairs' names 'es-em'", "did you mean 'es-en'?"),
    ({"studies": {"budgets": {"pairs": ["xx-yy"]}}}, "'studies.budgets.pairs' names 'xx-yy'", "there are 'es-en', 'pt"),
    ({"studies": {"budgets": {"sizes": ["n4000"]}}}, "'studies.budgets.sizes' names 'n4000'", "did you mean 'n400'?"),
    ({"studies": {"budgets": {"methods": ["adaptor"]}}}, "'studies.budgets.methods' names 'adaptor'", "'adapter'?"),
    ({"studies": {"budgets": {"budgets": ["b30"]}}}, "'studies.budgets.budgets' names 'b30', which is not in 'budgets"),
    (
        {"pairs": {"es-en": {"corpus": "interfce"}}},
        "'pairs.es-en.corpus' names 'interfce'",
        "did you mean 'interface'?",
    ),
    (pretrained(pairs=["es-em"]), "'models.small.pretrain.pairs' names 'es-em'", "es-en"),
    (
        lora_rate({"search": None, "n401": 0.1, "default": 1}),
        "'methods.lora.learning_rate' names 'n401', which is not in 'sizes'",
    ),
    # parts that do not fit together
    ({"pairs": {"spanish": {"corpus": "interface"}}}, "'pairs.spanish' does not name its languages; write 'source' a"),
    ({"pairs": {"en-en": {"corpus": "interface"}}}, "'pairs.en-en' translates 'en' into itself; write two different"),
    ({"corpora": {"own": {}}}, "'corpora.own' must have one of 'files', 'mtdata' and 'wheels', and no other."),
    ({"corpora": {"own": {"files": {"tsv": "a.tsv"}}}}, "'corpora.own.files.columns' must name the column of two"),
    ({"corpora": {"own": {"files": {"sw": "a.txt"}}}}, "'corpora.own.files' must name the file of two languages"),
    ({"corpora": {"own": {"files": {"sw": "no/a", "en": "no/b"}}}}, "'corpora.own.files.sw' is 'no/a', but there is"),
    (
        {"corpora": {"own": {"files": {"tsv": "a", "columns": {"sw": 0, "en": 1}, "sw": "b"}}}},
        "'corpora.own.files' must have either 'tsv' or one file per language, and not both; take out 'sw'.",
    ),
    *WRONG_FILES,
    ({"corpora": {"interface": {"written_in": None}}}, "'corpora.interface.written_in' is missing; write the language"),
    (
        {"corpora": {"interface": {"split": {"present_in": ["es", "fr"]}}}},
        "'corpora.interface.split.present_in' names 'fr', but no entry of 'pairs' has it; "
        "add 'fr-en: {corpus: interface}' to 'pairs', or take it out.",
    ),
    (
        {**pretrained(), "corpora": {"interface": {"split": {"train": None}}}},
        "'models.small.pretrain.pairs' names 'es-en', but all text of its corpus is for fine-tuning",
        "'corpora.interface.split.train'",
    ),
    (
        {"models": {"new": {"threads": 1}}},
        "'models.new' must have exactly one of 'drop_layers', 'extend', 'hub', 'path', 'pretrain', 'prune', 'trim', "
        "'wheel'.",
    ),
    (
        {"models": {"small": {"pretrain": SMALL["pretrain"]}}},
        "'models.small' must have exactly one of 'drop_layers', 'extend', 'hub', 'path', 'pretrain', 'prune', 'trim', "
        "'wheel'.",
    ),
    (
        {"models": {"new": {"hub": "somebody/model"}}},
        "'models.new.hub' is 'somebody/model'; write 'owner/name@commit', with the digits of a commit",
    ),
    (
        {"models": {"new": {"hub": "somebody/model@main"}}},
        "'models.new.hub' is 'somebody/model@main'; write 'owner/name@commit', with the digits of a commit",
    ),
    (
        {"pairs": {"xx-en": {"corpus": "interface"}}},
        "'pairs.xx-en' has the source 'xx', which is no language code that anybody knows; write one such as 'sw'",
    ),
    (
        {"pairs": {"eu-en": {"corpus": "interface"}}, "studies": {"budgets": {"pairs": ["eu-en"]}}},
        "'studies.budgets.pairs' names 'eu-en', but the vocabulary of 'small' has no token for 'eu'; take one",
    ),
    (
        {"models": {"new": {"path": "no/folder"}}},
        "'models.new.path' is 'no/folder', but there is no such folder; write",
    ),
    (
        pretrained(d_model=98),
        "'models.small.pretrain.d_model' is 98, which 4 heads do not divide; write a multiple of 'heads'.",
    ),
    (
        lora_rate({"search": None, "n100": 0.1, "n400": 0.1}),
        "'methods.lora.learning_rate' has no rate for size 'n1600' of 'studies.budgets'; add it or 'default'.",
    ),
    # searches for learning rates
    (lora_rate({"search": [0.1, 0.2]}), "'methods.lora.learning_rate.search' has too few entries (2); write at least"),
    (lora_rate({"search": [0.1, 0.2, 0.1]}), "'methods.lora.learning_rate.search' names a rate twice; write each on"),
    (lora_rate({"search": [0.1, 0.2, -0.1]}), "'methods.lora.learning_rate.search.2' is -0.1; write a number above 0."),
    (lora_rate({"search": [0.1, "fast", 0.2]}), "'methods.lora.learning_rate.search.1' is 'fast'; write a number."),
    (lora_rate({"search": 3}), "'methods.lora.learning_rate.search' is 3; write a list"),
    (
        lora_rate({"n100": 0.1, "default": 0.2}),  # merged with the search of the default configuration
        "'methods.lora.learning_rate' is a mapping; write either 'search' or rates by size, and leave the other empty",
    ),
    *WRONG_RATE_SEARCHES,
    (
        {"rate_search": {"pair": "pt-en", "seed": 9}, **also({"seeds": [9]})},
        "'rate_search' searches on 'pt-en' with seed 9, which 'studies.budgets' compares on",
    ),
    (
        {"rate_search": {"table": "no/rates.csv"}},
        "'rate_search.table' is 'no/rates.csv', but there is no such file; `make rates`",
    ),
    (
        {"rate_search": {"table": "workflow/distances/lang2vec.csv"}},
        "'rate_search.table' is 'workflow/distances/lang2vec.csv', which has no column model, size, method, budget, se",
    ),
    # studies
    ({"studies": {"mine": STUDY}}, "'studies.mine.figure' is missing; write which figure is drawn: 'budgets', "),
    ({"studies": {"budgets": {"figure": "budget"}}}, "'studies.budgets.figure' is 'budget'; write 'budgets', 'data_s"),
    ({"studies": {"budgets": {"budgets": None}}}, "'studies.budgets' has no cells for 'adapter', 'lora', 'prefix', w"),
    ({"studies": dict.fromkeys(DEFAULT["studies"])}, "'studies' has no study; write one"),
    (
        {"budgets": {"b20": 0.0001}},
        "'studies.budgets.budgets' asks for 'b20' (0.010% of 'small'), which method 'adapter' can't meet: it reaches ",
    ),
    ({"budgets": {"b20": 0.99}}, "'studies.budgets.budgets' asks for 'b20' (99.000% of 'small')", "it reaches"),
    # further cells of a study
    (also({"models": ["smal"]}), "'studies.budgets.also.0.models' names 'smal'", "did you mean 'small'?"),
    (also({"seeds": [6]}, {"pairs": ["es-em"]}), "'studies.budgets.also.1.pairs' names 'es-em', which is not in 'pai"),
    (also({"sizes": ["n4000"]}), "'studies.budgets.also.0.sizes' names 'n4000'", "did you mean 'n400'?"),
    (also({"methods": ["adaptor"]}), "'studies.budgets.also.0.methods' names 'adaptor'", "did you mean 'adapter'?"),
    (also({"budgets": ["b30"]}), "'studies.budgets.also.0.budgets' names 'b30', which is not in 'budgets'"),
    (also({"method": ["lora"]}), "'studies.budgets.also.0.method' is not a key", "did you mean 'methods'?"),
    (also({"seeds": []}), "'studies.budgets.also.0.seeds' has too few entries (0); write at least 1."),
    ({"studies": {"budgets": {"also": {"seeds": [4]}}}}, "'studies.budgets.also' is a mapping; write a list"),
    (
        {"studies": {"mine": {"figure": "models", **STUDY, "also": [{"methods": ["lora"]}]}}},
        "'studies.mine.also.0' has no cells for 'lora', which need a budget; write 'studies.mine.also.0.budgets'.",
    ),
    (
        also({"methods": ["embeddings", "lora_embeddings"]}),
        "'studies.budgets.budgets' asks for 'b0.5' (0.500% of 'small'), which method 'lora_embeddings' can't meet: it",
    ),
    (
        {**lora_rate({"search": None, "n1600": 0.1}), **also({"sizes": ["n100"], "methods": ["lora"]})},
        "'methods.lora.learning_rate' has no rate for size 'n100' of 'studies.budgets'; add it or 'default'.",
    ),
    # models and their languages
    (
        {**pretrained(), "pairs": {"eu-en": {"corpus": "interface"}}, "studies": {"budgets": {"pairs": ["eu-en"]}}},
        "'studies.budgets.pairs' names 'eu-en', but the vocabulary of 'small' has no token for 'eu'; "
        "add 'eu-en' to 'models.small.pretrain.vocabulary_pairs'.",
    ),
    (
        {**pretrained(), "pairs": {"en-ca": {"corpus": "interface"}}, **also({"pairs": ["en-ca"]})},
        "'studies.budgets.pairs' names 'en-ca', but the vocabulary of 'small' has no token for 'ca'; add 'en-ca' to",
    ),
    # bases that stay frozen
    ({"models": {"small": {"quantised": 3}}}, "'models.small.quantised' is 3; write 8 or 4."),
    ({"models": {"small": {"precision": "half"}}}, "'models.small.precision' is 'half'; write 'float32' or 'bfloat16'"),
    (
        {"models": {"large": {"quantised": 4}}},
        "'studies.models.methods' names 'full', which needs the weights of the base model, but "
        "'models.large.quantised' keeps it frozen; take one of the two out, or add an entry for the same model "
        "without 'quantised'.",
    ),
    (
        {"models": {"large": {"precision": "bfloat16"}}, **also({"models": ["large"], "methods": ["scratch"]})},
        "'studies.budgets.methods' names 'scratch', which needs the weights of the base model, but 'models.large.pre",
    ),
    # findings
    (
        {"findings": {"parity": {"claim": "on_part"}}},
        "'findings.parity.claim' is 'on_part', which is no claim; did you",
    ),
    (
        {"findings": {"new": {"study": "budgets"}}},
        "'findings.new.claim' is missing; write which claim it is: ",
        "'on_par'",
    ),
    ({"findings": {"parity": {"metod": "lora"}}}, "'findings.parity.metod' is not a key", "did you mean 'method'?"),
    (
        {"findings": {"parity": {"study": "language"}}},
        "'findings.parity.study' names 'language', which is not in 'studi",
    ),
    ({"findings": {"parity": {"method": "adaptor"}}}, "'findings.parity.method' names 'adaptor'", "'adapter'?"),
    ({"findings": {"parity": {"budget": "b30"}}}, "'findings.parity.budget' names 'b30', which is not in 'budgets'"),
    ({"findings": {"small_data": {"size": "n10"}}}, "'findings.small_data.size' names 'n10'", "did you mean 'n100'?"),
    ({"findings": {"larger": {"larger": "huge"}}}, "'findings.larger.larger' names 'huge', which is not in 'models'"),
    (
        {"findings": {"parity": {"method": "full"}}},
        "'findings.parity.method' names 'full', which is not parameter-effi",
    ),
    ({"findings": {"parity": {"budget": None}}}, "'findings.parity.budget' is missing; write the budget of 'adapter'"),
    (
        {"findings": {"larger": {"smaller": ["small", "large"]}}},
        "'findings.larger' compares 'large' with itself; write two differ",
    ),
    ({"findings": {"distance": {"budgets": ["b1", "b1"]}}}, "'findings.distance' compares 'b1' with itself; write two"),
    ({"findings": {"distance": {"budgets": ["b1"]}}}, "'findings.distance.budgets' has too few entries (1)"),
    (
        {"findings": {"a/b": {"claim": "falls_with_budget", "study": "budgets", "methods": ["lora"]}}},
        "'findings' has the",
    ),
]

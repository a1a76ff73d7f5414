"""Wrong values of the right kind: overlays over config.yaml, the beginning of the message, and more of its words."""

from typing import Any

STUDY = {"models": ["small"], "pairs": ["pt-en"], "sizes": ["n100"], "methods": ["full"], "seeds": [1]}
LONG = "l" * 65


def budgets(**changes: Any) -> dict[str, Any]:
    """An overlay that changes the study of budgets."""
    return {"studies": {"budgets": changes}}


def hub(name: str) -> dict[str, Any]:
    """An overlay with another model, of the hub."""
    return {"models": {"new": {"hub": name}}}


WRONG_VALUES: list[tuple[Any, ...]] = [
    # true and false are no numbers
    ({"margin": True}, "'margin' is true; write a number."),
    ({"budgets": {"b1": False}}, "'budgets.b1' is false; write a number"),
    ({"training": {"evaluations": True}}, "'training.evaluations' is true; write a number."),
    ({"training": {"dropout": False}}, "'training.dropout' is false; write a number."),
    ({"sizes": {"n100": {"pairs": True}}}, "'sizes.n100.pairs' is true; write a number."),
    ({"decoding": {"beam_size": True}}, "'decoding.beam_size' is true; write a number."),
    ({"methods": {"lora": {"scaling": True}}}, "'methods.lora.scaling' is true; write a number."),
    ({"methods": {"lora": {"learning_rate": True}}}, "'methods.lora.learning_rate' is true; write a number."),
    (
        {"methods": {"lora": {"learning_rate": {"search": [1.0e-3, True, 3.0e-3]}}}},
        "'methods.lora.learning_rate.search.1' is true; write a number.",
    ),
    (budgets(seeds=[True, 2]), "'studies.budgets.seeds.0' is true; write a number."),
    (budgets(also=[{"seeds": [False]}]), "'studies.budgets.also.0.seeds.0' is false; write a number."),
    ({"models": {"small": {"threads": True}}}, "'models.small.threads' is true; write a number."),
    ({"corpora": {"interface": {"split": {"dev": True}}}}, "'corpora.interface.split.dev' is true; write a number."),
    ({"rate_search": {"seed": True}}, "'rate_search.seed' is true; write a number."),
    # numbers that are none, or beyond all use
    ({"margin": float("nan")}, "'margin' is nan; write a finite number."),
    ({"margin": "1e999"}, "'margin' is '1e999'; write a number."),
    ({"margin": 1000}, "'margin' is 1000; write a number of at most 100."),
    ({"decoding": {"beam_size": 10000}}, "'decoding.beam_size' is 10000; write a number of at most 100."),
    ({"decoding": {"beam_size": 2.5}}, "'decoding.beam_size' is 2.5; write a whole number."),
    ({"decoding": {"beam_size": 0}}, "'decoding.beam_size' is 0; write a number above 0."),
    ({"decoding": {"max_length_ratio": -1}}, "'decoding.max_length_ratio' is -1; write a number above 0."),
    ({"decoding": {"length_penalty": float("-inf")}}, "'decoding.length_penalty' is -inf; write a finite number."),
    (
        {"training": {"batch_tokens": 10**12}},
        "'training.batch_tokens' is 1000000000000; write a number of at most 1,000",
    ),
    ({"training": {"weight_decay": -0.1}}, "'training.weight_decay' is -0.1; write a number of at least 0."),
    ({"training": {"warmup": 1}}, "'training.warmup' is 1; write a number below 1."),
    ({"training": {"evaluations": 0}}, "'training.evaluations' is 0; write a number above 0."),
    ({"rate_search": {"extensions": 1000}}, "'rate_search.extensions' is 1000; write a number of at most 20."),
    (budgets(seeds=[-1]), "'studies.budgets.seeds.0' is -1; write a number of at least 0."),
    (budgets(seeds=[1.5]), "'studies.budgets.seeds.0' is 1.5; write a whole number."),
    (
        budgets(seeds=[10**20]),
        "'studies.budgets.seeds.0' is 100000000000000000000; write a number of at most 1,000,000",
    ),
    ({"sizes": {"n100": {"pairs": 10**10}}}, "'sizes.n100.pairs' is 10000000000; write a number of at most 1,000,000"),
    ({"budgets": {"b1": -0.1}}, "'budgets.b1' is -0.1; write a number above 0."),
    ({"budgets": {"b1": 1}}, "'budgets.b1' is 1; write a number below 1."),
    ({"budgets": {"b1": "x" * 1000}}, "'budgets.b1' is 'xxx", "x…; write a number."),
    ({"models": {"small": {"threads": 5000}}}, "'models.small.threads' is 5000; write a number of at most 1024."),
    # numbers that do not fit each other
    (
        {"training": {"evaluations": 61}},
        "'training.evaluations' is 61, but 'sizes.n100.updates' is 60; the dev set can be decoded after an update at",
    ),
    (
        {"sizes": {"n400": {"updates": 1}}},
        "'training.evaluations' is 2, but 'sizes.n400.updates' is 1; ",
    ),
    # entries that stand twice
    (budgets(seeds=[1, 2, 1]), "'studies.budgets.seeds' names '1' twice; write it once."),
    (
        budgets(methods=["full", "none", "full", "full"]),
        "'studies.budgets.methods' names 'full' 3 times; write it once.",
    ),
    (budgets(also=[{"seeds": [4, 4]}]), "'studies.budgets.also.0.seeds' names '4' twice; write it once."),
    ({"studies": {"languages": {"pairs": ["de-en", "de-en"]}}}, "'studies.languages.pairs' names 'de-en' twice"),
    (
        {"corpora": {"interface": {"split": {"present_in": ["es", "es"]}}}},
        "'corpora.interface.split.present_in' names 'es' twice; write it once.",
    ),
    (
        {"methods": {"lora": {"losses": ["unlikelihood"] * 2}}},
        "'methods.lora.losses' names 'unlikelihood' twice; write",
    ),
    ({"findings": {"budget": {"methods": ["lora", "lora"]}}}, "'findings.budget.methods' names 'lora' twice; write it"),
    (
        {"models": {"small": {"seen": {"monolingual": ["es", "es"]}}}},
        "'models.small.seen.monolingual' names 'es' twice; write it once.",
    ),
    # two labels for the same
    (
        {"budgets": {"one": 0.01}, **budgets(budgets=["b1", "one", "b5"])},
        "'studies.budgets.budgets' names 'b1', 'one', which are all 1.000%; take out all but one.",
    ),
    (
        {"sizes": {"few": {"pairs": 100, "updates": 60}}, "studies": {"data_sizes": {"sizes": ["n100", "few"]}}},
        "'studies.data_sizes.sizes' names 'n100', 'few', which are all 100 pairs with 60 updates; take out",
    ),
    # labels
    ({"budgets": {LONG: 0.1}}, "'budgets' has a label of 65 characters, 'llllllllllllllllllll…'", "64 at most"),
    ({"budgets": {"": 0.1}}, "'budgets' has the label '', which is unsafe in a path"),
    ({"budgets": {"-b": 0.1}}, "'budgets' has the label '-b', which is unsafe in a path"),
    ({"budgets": {"b1\n": 0.1}}, "'budgets' has the label 'b1\\n', which is unsafe in a path"),
    (
        {"corpora": {"interface": {"more_tests": {"../news": {"sw": "a", "en": "b"}}}}},
        "'corpora.interface.more_tests' has the label '../news', which is unsafe in a path",
    ),
    # models of a hub
    (hub("owner/name@dev"), "'models.new.hub' is 'owner/name@dev'; write 'owner/name@commit', with the digits"),
    (hub("owner/name@v1.0"), "'models.new.hub' is 'owner/name@v1.0'; write 'owner/name@commit', with the digits"),
    (hub("owner/name@refs/pr/1"), "'models.new.hub' is 'owner/name@refs/pr/1'; write 'owner/name@commit', with"),
    (hub("../name@0123abc"), "'models.new.hub' is '../name@0123abc'; write 'owner/name@commit', with the digits"),
    (hub("owner/..@0123abc"), "'models.new.hub' is 'owner/..@0123abc'; write 'owner/name@commit', with the digits"),
    (hub("owner/a/b@0123abc"), "'models.new.hub' is 'owner/a/b@0123abc'; write 'owner/name@commit', with the digits"),
    # the run on which rates are searched for
    (
        {"rate_search": {"pair": "de-en", "seed": 3}},
        "'rate_search' searches on 'de-en' with seed 3, which 'studies.languages' compares on; write another seed",
    ),
    # files
    (
        {"corpora": {"own": {"files": {"tsv": "README.md", "columns": {"sw": -1, "en": 0}}}}},
        "'corpora.own.files.columns.sw' is -1; write the number of a column, the first is 0, or its name.",
    ),
    (
        {"corpora": {"own": {"files": {"tsv": "README.md", "columns": {"sw": True, "en": 0}}}}},
        "'corpora.own.files.columns.sw' is true; write a number.",
    ),
    (
        {"corpora": {"own": {"files": {"csv": "README.md", "columns": {"sw": 1, "en": 1}}}}},
        "'corpora.own.files.columns' has column 1 for 'sw' and 'en' alike; write the column of each.",
    ),
    (
        {"corpora": {"own": {"files": {"sw": "README.md", "en": "./README.md"}}}},
        "'corpora.own.files' has the same file for 'sw' and 'en', README.md; write the file of each.",
    ),
]

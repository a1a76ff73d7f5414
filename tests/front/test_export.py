"""Exported cells: others open them, and they translate as the cell does."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

import mtpeft
from mtpeft.cells import Cell
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_record
from mtpeft.front import export
from mtpeft.front.export import export_cell
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.marian_conversion import convert
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import open_tokenizer, special_tokens_of
from mtpeft.training.finetune import finetune
from support.adapter import stir
from support.family import CHECKPOINTS, family_inputs, family_params
from support.group import GROUP, SIDES, group_inputs, group_params
from support.model import cell

SENTENCES = ["Abre la puerta del jardín", "Crea una carpeta nueva", "No hay espacio en el disco"]
LANGUAGES = {"source": "es", "target": "en"}
MERGED = [
    ("nllb", "lora"),
    ("nllb", "full"),
    ("nllb", "lora_embeddings"),
    ("m2m100", "lora"),
    ("mbart25", "lora"),
    ("marian_multi", "layernorm"),
    ("t5_1.1", "lora"),
    ("mt5", "full"),
    ("student", "full"),
    ("student", "lora"),
]
DECODER_ONLY = [("llama", "full"), ("llama", "lora"), ("qwen2", "lora"), ("gemma3", "lora")]


@pytest.fixture(scope="module")
def trained(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The folder of a cell of a family and a method, made once."""
    prepare_torch(1)
    made: dict[tuple[str, str], Path] = {}

    def of(name: str, method: str) -> Path:
        if (name, method) not in made:
            folder = tmp_path_factory.mktemp("exported")
            record = folder / "cell/train.json"
            finetune(family_params(method), cell(method), inputs=family_inputs(name, sweep, folder), record=record)
            made[name, method] = record.parent
        return made[name, method]

    return of


@pytest.fixture
def by_its_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], list[str]]:
    """Translations by the lines of the page in an exported folder, run there as they are but for the text."""

    def run(folder: Path) -> list[str]:
        (lines,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), flags=re.S)
        monkeypatch.chdir(folder)
        found = []
        for sentence in SENTENCES:
            given, count = re.subn('"1, 2, 3 …"', repr(sentence), lines)
            assert count == 1
            capsys.readouterr()
            exec(given, {})
            found.append(capsys.readouterr().out.removesuffix("\n"))
        return found

    return run


def _alike(found: list[str], expected: list[str]) -> bool:
    return [line.strip() for line in found] == [line.strip() for line in expected]


@pytest.mark.parametrize(("name", "method"), MERGED)
def test_transformers_alone_translates_with_a_merged_cell(
    trained: Callable, by_its_page: Callable, tmp_path: Path, name: str, method: str
) -> None:
    folder, to = trained(name, method), tmp_path / "model"
    export_cell(str(folder), to, "merged")
    assert _alike(by_its_page(to), mtpeft.load(folder)(SENTENCES))
    settings, special_tokens = read_record(to / "generation_config.json"), _frame(folder)
    assert settings["decoder_start_token_id"] == special_tokens.begin[0]
    assert settings.get("forced_bos_token_id") == (special_tokens.begin[1] if special_tokens.begin[1:] else None)
    assert settings["max_length"] > special_tokens.max_length
    assert [special_tokens.pad] in settings["bad_words_ids"]


@pytest.mark.parametrize(("name", "method"), DECODER_ONLY)
def test_transformers_alone_translates_with_a_decoder_only_cell(
    trained: Callable, by_its_page: Callable, tmp_path: Path, name: str, method: str
) -> None:
    folder = trained(name, method)
    forms = ["merged"] if method == "full" else ["merged", "peft"]
    for form in forms:
        export_cell(str(folder), tmp_path / form, form)
        assert _alike(by_its_page(tmp_path / form), mtpeft.load(folder)(SENTENCES))
        settings = read_record(tmp_path / form / "generation_config.json")
        assert settings["eos_token_id"] == ([5, 2] if name != "llama" else 2)
    with pytest.raises(UserError, match="a decoder-only one, with which CTranslate2 is not tried"):
        export_cell(str(folder), tmp_path / "quick", "ctranslate2")


def test_the_sets_of_one_pair_are_handed_over_alone(
    sweep: Path, by_its_page: Callable, tmp_path: Path, trained: Callable
) -> None:
    languages = {side: [own[side] for own in SIDES.values()] for side in ("source", "target")}
    params = group_params(family_params("lora")) | {
        "method": {"method": "context_lora", "scaling": 2.0, "languages": languages}
    }
    record = tmp_path / "cell/train.json"
    label = Cell("llama", GROUP, "n44", "context", "b3", "1")
    finetune(params, label, inputs=group_inputs("llama", sweep, tmp_path), record=record)
    export_cell(str(record.parent), tmp_path / "one", "pair", "es-en")
    assert _alike(by_its_page(tmp_path / "one"), mtpeft.load(record.parent, "es-en")(SENTENCES))
    whole, one = (load_file(own / "adapter_model.safetensors") for own in (record.parent / "tuned", tmp_path / "one"))
    assert 2 * sum(tensor.numel() for tensor in one.values()) == sum(tensor.numel() for tensor in whole.values())
    with pytest.raises(UserError, match="has no sets of parameters for each language of several pairs"):
        export_cell(str(trained("llama", "lora")), tmp_path / "none", "pair")


def _frame(folder: Path) -> SpecialTokens:
    translator = mtpeft.load(folder)
    return special_tokens_of(translator.tokenizer, translator.model.config)


@pytest.mark.parametrize("name", ["nllb", "mbart25", "marian_multi"])
def test_a_beam_search_is_handed_over(trained: Callable, by_its_page: Callable, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(trained(name, "lora"), tmp_path / "cell")
    record = read_record(folder / "train.json")
    record["params"]["search"] |= {"beam_size": 3, "length_penalty": 0.6}
    write_record(folder / "train.json", record)
    export_cell(str(folder), tmp_path / "model", "merged")
    assert _alike(by_its_page(tmp_path / "model"), mtpeft.load(folder)(SENTENCES))


@pytest.mark.parametrize("method", ["lora", "adapter"])
def test_a_peft_folder_names_its_base(trained: Callable, by_its_page: Callable, tmp_path: Path, method: str) -> None:
    folder = trained("nllb", method)
    export_cell(str(folder), tmp_path / "part", "peft")
    config = read_record(tmp_path / "part/adapter_config.json")
    base = config["base_model_name_or_path"]
    assert base == read_record(Path(read_record(folder / "train.json")["inputs"]["base"]))["folder"]
    assert _alike(by_its_page(tmp_path / "part"), mtpeft.load(folder)(SENTENCES))


def test_stages_are_handed_over_as_a_peft_folder_each(trained: Callable, by_its_page: Callable, tmp_path: Path) -> None:
    folder = trained("nllb", "prefix_then_lora")
    export_cell(str(folder), tmp_path / "part", "peft")
    base = Path(read_record(Path(read_record(folder / "train.json")["inputs"]["base"]))["folder"])
    parts = sorted((tmp_path / "part").glob("stage*"))
    assert [part.name for part in parts] == ["stage0", "stage1"]
    configs = [read_record(part / "adapter_config.json") for part in parts]
    assert [(config["peft_type"], config["base_model_name_or_path"]) for config in configs] == [
        ("PREFIX", str(base)),
        ("LORA", str(base)),
    ]
    assert _alike(by_its_page(tmp_path / "part"), mtpeft.load(folder)(SENTENCES))


@pytest.mark.parametrize("name", [name for name in CHECKPOINTS if name != "student"])
def test_ctranslate2_translates_as_the_cell(
    trained: Callable, by_its_page: Callable, tmp_path: Path, name: str
) -> None:
    folder, to = trained(name, "lora"), tmp_path / "quick"
    export_cell(str(folder), to, "ctranslate2")
    assert _alike(by_its_page(to), mtpeft.load(folder)(SENTENCES))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_student_is_written_in_marians_own_files(
    trained: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    folder, to = trained("student", method), tmp_path / "marian"
    with pytest.raises(UserError, match="no longer in data/tokens/student/; run its study again"):
        export_cell(str(folder), to, "marian")
    (tmp_path / "data/tokens/student/es-en-1").mkdir(parents=True)
    shutil.copy(folder.parent / "dev.safetensors", tmp_path / "data/tokens/student/es-en-1")
    monkeypatch.chdir(tmp_path)
    export_cell(str(folder), to, "marian")

    assert sorted(path.name for path in to.iterdir()) == [
        *("README.md", "config.intgemm8bitalpha.yml", "lex.all.bin", "model.intgemm.alphas.bin", "model.npz"),
        *("tokenizer.json", "vocab.spm"),
    ]
    convert(to / "model.npz", vocabulary=to / "vocab.spm", folder=tmp_path / "again")
    translator = mtpeft.load(folder)
    model, tokenizer = (
        load_base(tmp_path / "again").eval(),
        open_tokenizer(tmp_path / "again", LANGUAGES, vocabulary="again"),
    )
    again = replace(translator, model=model, tokenizer=tokenizer)
    assert _alike(again(SENTENCES), translator(SENTENCES))


def test_the_page_of_a_student_imports_its_architecture(trained: Callable, tmp_path: Path) -> None:
    export_cell(str(trained("student", "lora")), tmp_path / "model", "merged")
    assert "import mtpeft  #" in (tmp_path / "model/README.md").read_text(encoding="utf-8")


REFUSED = {
    "ctranslate2 knows no students": (
        "student",
        "lora",
        "ctranslate2",
        "can't convert this model of the family Marian",
    ),
    "Marian's files are for students": (
        "nllb",
        "lora",
        "marian",
        "NLLB.*`--as marian` is for students of Marian",
    ),
    "an adapter is no part of Marian's": ("student", "adapter", "marian", "can't be merged into the base model"),
    "adapters are no weights": ("nllb", "adapter", "merged", "can't be merged into the base model.*--as peft"),
    "prefixes of a stage are no weights": ("nllb", "prefix_then_lora", "merged", "prefix can't be merged.*--as peft"),
    "full fine-tuning is no part": ("nllb", "full", "peft", "is a whole model.*--as merged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_impossible_export_is_refused_and_leaves_nothing(trained: Callable, tmp_path: Path, case: str) -> None:
    name, method, form, expected = REFUSED[case]
    with pytest.raises(UserError, match=expected):
        export_cell(str(trained(name, method)), tmp_path / "model", form)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(trained: Callable, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is there already"):
        export_cell(str(trained("nllb", "lora")), tmp_path, "merged")


def test_a_merge_that_goes_wrong_is_noticed(trained: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that users report: the weights that are saved are not those that were trained, and nothing says so."""

    def others(folder: Path) -> torch.nn.Module:
        model = AutoModelForSeq2SeqLM.from_pretrained(folder)
        stir(model)
        return model

    monkeypatch.setattr(export, "load_base", others)
    with pytest.raises(AssertionError, match="differs from the cell"):
        export_cell(str(trained("nllb", "lora")), tmp_path / "model", "merged")
    assert list(tmp_path.iterdir()) == []

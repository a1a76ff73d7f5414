"""Exported cells: others open them, and they translate as the cell does."""

from collections.abc import Callable
from pathlib import Path

import ctranslate2
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import mtpeft
from family_material import CHECKPOINTS, family_inputs, family_settings
from model_material import cell
from mtpeft.errors import UserError
from mtpeft.models import export
from mtpeft.models.export import export_cell
from mtpeft.models.load import Translator, open_tuned, prepare_torch
from mtpeft.records import read_record
from mtpeft.tokens.codec import frame_of
from mtpeft.training.finetune import finetune
from tuner_material import stir

SENTENCES = ["Abre la puerta del jardín", "Crea una carpeta nueva", "No hay espacio en el disco"]
MERGED = [
    ("nllb", "lora"),
    ("nllb", "full"),
    ("nllb", "lora_embeddings"),
    ("m2m100", "lora"),
    ("mbart25", "lora"),
    ("marian_multi", "layernorm"),
    ("t5_1.1", "lora"),
    ("mt5", "full"),
]


@pytest.fixture(scope="module")
def trained(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The folder of a cell of a family and a method, made once."""
    prepare_torch(1)
    made: dict[tuple[str, str], Path] = {}

    def of(name: str, method: str) -> Path:
        if (name, method) not in made:
            folder = tmp_path_factory.mktemp("exported")
            record = folder / "cell/train.json"
            finetune(family_settings(method), cell(method), inputs=family_inputs(name, sweep, folder), record=record)
            made[name, method] = record.parent
        return made[name, method]

    return of


def _generated(model: torch.nn.Module, folder: Path, translator: Translator) -> list[str]:
    """Translations by what is in an exported folder, with nothing of ours but the tokens to begin with."""
    tokenizer, frame = AutoTokenizer.from_pretrained(folder), frame_of(translator.codec, translator.model.config)
    found = []
    for row in translator.tokens(SENTENCES, "source"):
        limit = int(translator.search.limits(torch.tensor([len(row)]).numpy(), frame)[0])
        made = model.eval().generate(
            input_ids=torch.tensor([row]),
            num_beams=1,
            do_sample=False,
            decoder_start_token_id=frame.begin[0],
            forced_bos_token_id=frame.begin[1] if frame.begin[1:] else None,
            max_new_tokens=limit + len(frame.begin),
        )[0]
        found.append(tokenizer.decode(made[len(frame.begin) :][:limit], skip_special_tokens=True))
    return found


@pytest.mark.parametrize(("name", "method"), MERGED)
def test_transformers_alone_translates_with_a_merged_cell(
    trained: Callable, tmp_path: Path, name: str, method: str
) -> None:
    folder, to = trained(name, method), tmp_path / "model"
    export_cell(str(folder), to, "merged")
    translator = mtpeft.load(folder)
    assert _generated(AutoModelForSeq2SeqLM.from_pretrained(to), to, translator) == translator(SENTENCES)


@pytest.mark.parametrize("method", ["lora", "adapter"])
def test_a_peft_folder_names_its_base(trained: Callable, tmp_path: Path, method: str) -> None:
    folder = trained("nllb", method)
    export_cell(str(folder), tmp_path / "part", "peft")
    config = read_record(tmp_path / "part/adapter_config.json")
    base = config["base_model_name_or_path"]
    assert base == read_record(Path(read_record(folder / "train.json")["inputs"]["base"]))["folder"]
    model = PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(base), tmp_path / "part")
    translator = mtpeft.load(folder)
    assert _generated(model, Path(base), translator) == translator(SENTENCES)


def test_stages_are_handed_over_as_a_peft_folder_each(trained: Callable, tmp_path: Path) -> None:
    folder = trained("nllb", "prefix_then_lora")
    export_cell(str(folder), tmp_path / "part", "peft")
    base = Path(read_record(Path(read_record(folder / "train.json")["inputs"]["base"]))["folder"])
    parts = sorted((tmp_path / "part").iterdir())
    assert [part.name for part in parts] == ["stage0", "stage1"]
    configs = [read_record(part / "adapter_config.json") for part in parts]
    assert [(config["peft_type"], config["base_model_name_or_path"]) for config in configs] == [
        ("PREFIX", str(base)),
        ("LORA", str(base)),
    ]
    opened = open_tuned(base, tmp_path / "part").eval()
    assert _generated(opened, base, mtpeft.load(folder)) == mtpeft.load(folder)(SENTENCES)


@pytest.mark.parametrize("name", [name for name in CHECKPOINTS if name != "m2m100"])
def test_ctranslate2_translates_as_the_cell(trained: Callable, tmp_path: Path, name: str) -> None:
    folder, to = trained(name, "lora"), tmp_path / "quick"
    export_cell(str(folder), to, "ctranslate2")
    translator = mtpeft.load(folder)
    tokenizer, frame = translator.codec.tokenizer, frame_of(translator.codec, translator.model.config)
    # CTranslate2 begins with the start token by itself, but for the first mBART, whose start is the language.
    begin = frame.begin if name == "mbart25" else frame.begin[1:]
    engine = ctranslate2.Translator(str(to))
    found = []
    for row in translator.tokens(SENTENCES, "source"):
        limit = int(translator.search.limits(torch.tensor([len(row)]).numpy(), frame)[0])
        (made,) = engine.translate_batch(
            [tokenizer.convert_ids_to_tokens(row)],
            target_prefix=[tokenizer.convert_ids_to_tokens(list(begin))],
            beam_size=1,
            max_decoding_length=limit + len(begin),
        )
        tokens = tokenizer.convert_tokens_to_ids(made.hypotheses[0][len(begin) :])
        found.append(tokenizer.decode(tokens[:limit], skip_special_tokens=True))
    assert found == translator(SENTENCES)


REFUSED = {
    "adapters are no weights": ("nllb", "adapter", "merged", "can't be merged into the base model.*--as peft"),
    "prefixes of a stage are no weights": ("nllb", "prefix_then_lora", "merged", "prefix can't be merged.*--as peft"),
    "full fine-tuning is no part": ("nllb", "full", "peft", "is a whole model.*--as merged"),
    "ctranslate2 lacks languages": ("m2m100", "lora", "ctranslate2", "can't convert.*M2M-100.*--as merged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_such_form_is_refused_and_leaves_nothing(trained: Callable, tmp_path: Path, case: str) -> None:
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

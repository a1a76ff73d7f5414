"""A tiny sweep of real sentences: a vocabulary, token arrays, a base model, and the params of its cells."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core.files import write_lines
from mtpeft.data.encode import encode_pair
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.data.vocabulary import train_vocabulary
from mtpeft.methods import METHODS as REGISTRY
from mtpeft.models.derived.pretrain import mbart_config
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.training.batches import Batch, cell_batches
from mtpeft.training.finetune import CellInputs, finetune, training_texts
from mtpeft.training.params import CellParams
from mtpeft.training.pretrain import pretrain

SPANISH_ENGLISH = [
    ("Abre la puerta del jardín", "Open the garden gate"),
    ("Añade otra cuenta de correo", "Add another mail account"),
    ("Apaga la luz del pasillo", "Turn off the light in the hall"),
    ("Aún no hay mensajes nuevos", "There are no new messages yet"),
    ("Borra los archivos que no uses", "Delete the files you do not use"),
    ("Busca una red inalámbrica", "Look for a wireless network"),
    ("Cambia el color del fondo", "Change the colour of the background"),
    ("Cierra la sesión en todos los equipos", "Sign out on all computers"),
    ("Comparte este álbum con tu familia", "Share this album with your family"),
    ("Conecta el cable a la pantalla", "Connect the cable to the screen"),
    ("Copia el enlace en el portapapeles", "Copy the link to the clipboard"),
    ("Crea una carpeta nueva", "Create a new folder"),
    ("Descarga la última versión", "Download the latest version"),
    ("El archivo ya existe", "The file already exists"),
    ("El código tiene seis cifras", "The code has six digits"),
    ("El documento está vacío", "The document is empty"),
    ("El horno está demasiado caliente", "The oven is too hot"),
    ("El micrófono está silenciado", "The microphone is muted"),
    ("El nombre no puede estar vacío", "The name cannot be empty"),
    ("El servidor no responde", "The server does not answer"),
    ("Elige un idioma", "Choose a language"),
    ("Enciende el ventilador del salón", "Turn on the fan in the living room"),
    ("Escribe tu contraseña otra vez", "Type your password again"),
    ("Escribe una descripción corta", "Write a short description"),
    ("Espera un momento, por favor", "Please wait a moment"),
    ("Esta acción no se puede deshacer", "This action cannot be undone"),
    ("Esta imagen es demasiado grande", "This picture is too large"),
    ("Este campo es obligatorio", "This field is required"),
    ("Este dispositivo no es compatible", "This device is not supported"),
    ("Falta la fecha de entrega", "The delivery date is missing"),
    ("Guarda los cambios antes de salir", "Save your changes before you leave"),
    ("Ha caducado el certificado", "The certificate has expired"),
    ("Hay tres personas en la sala", "There are three people in the room"),
    ("Hoy no lloverá", "It will not rain today"),
    ("Imprime solo las páginas pares", "Print the even pages only"),
    ("Inserta una tarjeta de memoria", "Insert a memory card"),
    ("La batería está casi agotada", "The battery is almost empty"),
    ("La conexión no es segura", "The connection is not secure"),
    ("La dirección no es válida", "The address is not valid"),
    ("La lavadora ha terminado", "The washing machine has finished"),
    ("La lista tiene cuatro elementos", "The list has four items"),
    ("La página no se ha encontrado", "The page was not found"),
    ("La puerta del garaje está abierta", "The garage door is open"),
    ("La reunión empieza a las nueve", "The meeting starts at nine"),
    ("Los cambios se han guardado", "Your changes have been saved"),
    ("Mueve la ventana a la izquierda", "Move the window to the left"),
    ("Muestra todos los resultados", "Show all results"),
    ("No hay espacio en el disco", "There is no space left on the disk"),
    ("No se pudo abrir el archivo", "The file could not be opened"),
    ("No tienes permiso para ver esta página", "You are not allowed to see this page"),
    ("Ordena la tabla por nombre", "Sort the table by name"),
    ("Pulsa el botón azul", "Press the blue button"),
    ("Quita el filtro de la lista", "Remove the filter from the list"),
    ("Reinicia el ordenador para continuar", "Restart the computer to continue"),
    ("Revisa la ortografía del texto", "Check the spelling of the text"),
    ("Se ha producido un error desconocido", "An unknown error has occurred"),
    ("Selecciona al menos una opción", "Select at least one option"),
    ("Sube una foto de perfil", "Upload a profile picture"),
    ("Tu cuenta está bloqueada", "Your account is locked"),
    ("Tu pedido está en camino", "Your order is on its way"),
    ("Usa una letra más grande", "Use a larger font"),
    ("Vacía la papelera cada semana", "Empty the bin every week"),
    ("Vuelve a la página de inicio", "Go back to the home page"),
    ("¿Quieres cerrar el programa?", "Do you want to close the program?"),
]
TEST_ROWS, DEV_ROWS = 12, 8
MAX_POSITIONS = 48
LANGUAGES = ["en", "es", "ca"]
"""Catalan has no token in mBART-50."""
SEARCH = {"beam_size": 1, "length_penalty": 1.0, "max_length_ratio": 1.5}
METHODS = {
    "full": {"method": "full"},
    "scratch": {"method": "scratch", "longer": 2, "patience": 2},
    "adapter": {"method": "adapter", "activation": "relu"},
    "lora": {"method": "lora", "scaling": 2.0},
    "prefix": {"method": "prefix"},
    "bitfit": {"method": "bitfit"},
    "layernorm": {"method": "layernorm"},
    "embeddings": {"method": "embeddings"},
    "adapter_embeddings": {"method": "adapter", "activation": "relu", "embeddings": True},
    "lora_embeddings": {"method": "lora", "scaling": 2.0, "embeddings": True},
}
METHODS["prefix_then_lora"] = {
    "method": "staged",
    "stages": [METHODS["prefix"], METHODS["lora"]],
    "sizes": [2],
    "rate_factors": [4.0, 1.0],
}
BUDGETS = {
    "prefix_then_lora": 0.05,
    "adapter": 0.05,
    "lora": 0.05,
    "prefix": 0.05,
    "adapter_embeddings": 0.5,
    "lora_embeddings": 0.5,
}
"""Shares of the base model, for the methods that have a size."""
UPDATES = 12


def pretrain_params(objective: str = "translation", **changes: Any) -> dict[str, Any]:
    """Params of a base model of 1 + 1 layers."""
    sizes = {"layers": 1, "d_model": 32, "feed_forward": 64, "heads": 2, "dropout": 0.1, "vocabulary": 250}
    return {
        "step_version": 1,
        "config": mbart_config({**sizes, "max_positions": MAX_POSITIONS}, LANGUAGES),
        "threads": 1,
        "objective": objective,
        "rows": None,
        "updates": 8,
        "learning_rate": 0.005,
        "batch_tokens": 256,
        "noise": {"begin": 0.0, "joined": 0.2, "masked_source": 0.1, "masked_target": 0.1},
        "seed": 1,
    } | changes


def train_params(method: str, **optimisation: Any) -> dict[str, Any]:
    """Params of a cell of a method; keywords change those of the optimisation."""
    return {
        "step_version": 1,
        "method": copy.deepcopy(METHODS[method]),
        "languages": {"source": "es", "target": "en"},
        "threads": 1,
        "search": dict(SEARCH),
        "budget": BUDGETS.get(method),
        "seed": 1,
        "optimisation": {
            "updates": UPDATES,
            "evaluations": 3,
            "learning_rate": 0.003,
            "warmup": 0.1,
            "label_smoothing": 0.1,
            "weight_decay": 0.0,
            "clip_norm": 1.0,
            "dropout": 0.1,
            "batch_tokens": 128,
        }
        | optimisation,
    }


def decode_params() -> dict[str, Any]:
    """Params of the decoding of any cell."""
    return {key: value for key, value in train_params("full").items() if key in ("languages", "threads", "search")}


def cell(method: str, *, seed: str = "1") -> Cell:
    """Labels of a cell of the tiny sweep."""
    labels = REGISTRY[METHODS[method]["method"]].budget_labels or ("b5",) if method in METHODS else ("b5",)
    return Cell("tiny", "es-en", "n44", method, labels[0], seed)


def build_sweep(folder: Path) -> None:
    """Everything that comes before fine-tuning, in the places where the workflow puts it."""
    parts = {
        "test": SPANISH_ENGLISH[:TEST_ROWS],
        "dev": SPANISH_ENGLISH[TEST_ROWS : TEST_ROWS + DEV_ROWS],
        "train": SPANISH_ENGLISH[TEST_ROWS + DEV_ROWS :],
    }
    for name, rows in parts.items():
        pairs = [SentencePair(f"{name}{number}", *row) for number, row in enumerate(rows)]
        write_pairs(folder / f"data/pairs/es-en/{name}.tsv", pairs)
    write_lines(folder / "data/pairs/es-en/subsets/n44.txt", map(str, range(len(parts["train"]))))
    vocabulary = {"size": 250, "languages": LANGUAGES, "key": "models.tiny.pretrain.vocabulary"}
    tokenizer = folder / "data/vocabularies/tiny"
    train_vocabulary(vocabulary, parts=[folder / "data/pairs/es-en/train.tsv"], folder=tokenizer)
    encode_pair(
        {"source": "es", "target": "en", "vocabulary": "tiny", "max_positions": MAX_POSITIONS},
        tokenizer=tokenizer,
        parts={folder / f"data/pairs/es-en/{name}.tsv": arrays(folder, name) for name in parts},
    )
    calm = dict.fromkeys(("begin", "joined", "masked_source", "masked_target"), 0.0)
    params = pretrain_params(updates=40, learning_rate=0.01, noise=calm)
    pretrain_base(folder, folder / "results/models/tiny/base.json", params)


def arrays(folder: Path, part: str) -> Path:
    """Token arrays of a part."""
    return folder / f"data/tokens/tiny/es-en/{part}.safetensors"


def pretrain_base(sweep: Path, record: Path, params: dict[str, Any]) -> None:
    """Pre-train a base model on the training text of the tiny sweep."""
    pretrain(
        params,
        tokenizer=sweep / "data/vocabularies/tiny",
        train_arrays=[arrays(sweep, "train")],
        dev_arrays=[arrays(sweep, "dev")],
        record=record,
    )


def inputs(folder: Path) -> CellInputs:
    """Files that a cell of the tiny sweep is trained from."""
    pairs = folder / "data/pairs/es-en"
    return CellInputs(
        base=folder / "results/models/tiny/base.json",
        train=arrays(folder, "train"),
        dev=arrays(folder, "dev"),
        dev_text=pairs / "dev.tsv",
        subset=pairs / "subsets/n44.txt",
    )


def train_cell(sweep: Path, folder: Path, params: dict[str, Any]) -> Path:
    """Train a cell into a folder; returns its record."""
    record = folder / "train.json"
    finetune(params, cell(params["method"]["method"]), inputs=inputs(sweep), record=record)
    return record


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of all files under a folder, by relative name."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def batches(params: dict[str, Any], files: CellInputs, specials: list[SpecialTokens]) -> Callable[[int], Batch]:
    """The batches of a cell, given the special tokens for each target language."""
    given = CellParams.of(params)
    optimisation = given.optimisation
    return cell_batches(
        training_texts(files, specials),
        batch_tokens=optimisation.batch_tokens,
        temperature=optimisation.temperature,
        seed=given.seed,
    )

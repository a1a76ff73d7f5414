"""Small wheels of real sentences, and the params that the corpus stage takes for them."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtpeft.core import files
from mtpeft.data.clean import clean_pair
from mtpeft.data.decontaminate import decontaminate_pair
from mtpeft.data.sources.wheels import fetch_wheel
from mtpeft.data.split import split_corpus

CLEAN = {"max_characters": 180, "max_words": 30, "max_length_ratio": 3.0}

# English, Spanish, German.
SENTENCES = [
    ("The kitchen window is still open", "La ventana de la cocina sigue abierta", "Das Küchenfenster ist noch offen"),
    ("Choose the rooms to be cleaned", "Elige las habitaciones que hay que limpiar", "Wähle die zu putzenden Räume"),
    ("Your password has expired", "Tu contraseña ha caducado", "Dein Passwort ist abgelaufen"),
    ("No printer was found nearby", "No se encontró ninguna impresora cerca", "Kein Drucker in der Nähe gefunden"),
    ("Restart the garage door opener", "Reinicia el abridor del garaje", "Starte den Garagentoröffner neu"),
    ("Rain is expected this evening", "Se espera lluvia esta noche", "Heute Abend wird Regen erwartet"),
    ("The backup could not be written", "No se pudo escribir la copia", "Die Sicherung war nicht zu schreiben"),
    ("Turn off every lamp upstairs", "Apaga todas las lámparas de arriba", "Schalte oben alle Lampen aus"),
    ("Enter the address of the server", "Introduce la dirección del servidor", "Gib die Adresse des Servers ein"),
    ("This page does not exist anymore", "Esta página ya no existe", "Diese Seite gibt es nicht mehr"),
    ("Battery needs to be replaced soon", "Hay que cambiar pronto la pila", "Batterie muss bald ersetzt werden"),
    ("Someone rang at the front door", "Alguien llamó a la puerta principal", "Jemand hat an der Haustür geklingelt"),
    ("The heating follows your calendar", "La calefacción sigue tu calendario", "Die Heizung folgt deinem Kalender"),
    ("Unknown user name or wrong code", "Usuario desconocido o código erróneo", "Unbekannter Name oder falscher Code"),
    ("Water was detected in the basement", "Se detectó agua en el sótano", "Im Keller wurde Wasser erkannt"),
    ("Sort the pictures by their date", "Ordena las imágenes por fecha", "Sortiere die Bilder nach Datum"),
    ("Two people are at home now", "Ahora hay dos personas en casa", "Zwei Personen sind jetzt zu Hause"),
    ("Keep the old version as well", "Conserva también la versión anterior", "Behalte auch die alte Fassung"),
    ("Electricity is cheapest at night", "La luz es más barata de noche", "Nachts ist der Strom am billigsten"),
    ("Allow guests to use the speaker", "Permite a los invitados usar el altavoz", "Gästen den Lautsprecher erlauben"),
    ("The lawn mower is stuck again", "El cortacésped vuelve a estar atascado", "Der Rasenmäher hängt wieder fest"),
    ("Wait until the update has finished", "Espera a que termine la actualización", "Warte das Ende des Updates ab"),
    ("Open the curtains at sunrise", "Abre las cortinas al amanecer", "Öffne die Vorhänge bei Sonnenaufgang"),
    ("Which language do you speak", "Qué idioma hablas", "Welche Sprache sprichst du"),
    ("Delete all messages from yesterday", "Borra todos los mensajes de ayer", "Lösche alle Nachrichten von gestern"),
    ("The camera lost its connection", "La cámara perdió la conexión", "Die Kamera hat die Verbindung verloren"),
    ("Show temperatures in Fahrenheit", "Muestra temperaturas en Fahrenheit", "Zeige Temperaturen in Fahrenheit"),
    ("Write a short title for this list", "Escribe un título corto para esta lista", "Betitle die Liste knapp"),
    ("Your laundry is dry and warm", "Tu ropa está seca y caliente", "Deine Wäsche ist trocken und warm"),
    ("Only administrators may change this", "Solo los administradores lo cambian", "Das dürfen nur Verwalter ändern"),
    ("Dim the lights during the film", "Atenúa las luces durante la película", "Dimme das Licht während des Films"),
    ("An invitation was sent by post", "Se envió una invitación por correo", "Eine Einladung ging per Post hinaus"),
    ("Calibrate the scale before use", "Calibra la báscula antes de usarla", "Eiche die Waage vor Gebrauch"),
    ("Nothing is playing at the moment", "Ahora mismo no suena nada", "Zurzeit läuft keine Musik"),
    ("Feed the fish twice a day", "Alimenta a los peces dos veces al día", "Füttere die Fische zweimal täglich"),
    ("Lock the bicycle shed remotely", "Cierra a distancia el cobertizo", "Verriegle den Schuppen aus der Ferne"),
]
LANGUAGES = ("en", "es", "de")


def build_wheel(folder: Path, name: str, members: dict[str, str]) -> Path:
    """A wheel of version 1.0 with text members, the same bytes for the same members."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense: MIT\n",
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in {**members, **about}.items():
            wheel.writestr(zipfile.ZipInfo(member, date_time=(2020, 1, 1, 0, 0, 0)), text)
    return path


def json_members(rows: list[tuple[str, ...]], languages: tuple[str, ...] = LANGUAGES) -> dict[str, str]:
    """Nested JSON catalogues, a message per row."""
    return {
        f"home/hall/texts/{language}.json": json.dumps(
            {"step": {f"{number:03}": {"title": row[index]} for number, row in enumerate(rows)}}, ensure_ascii=False
        )
        for index, language in enumerate(languages)
    }


def wheel_params(wheel: Path, form: str = "json", members: str = "home/*/texts/{language}.json") -> dict[str, Any]:
    """Params of `fetch_wheel` for a wheel that `build_wheel` made."""
    name = wheel.name.split("-")[0]
    common = {"step_version": 1, "name": name, "version": "1.0", "python": None}
    return {**common, "sha256": files.sha256_of(wheel), "format": form, "members": members}


def clean_params(source: str, **changes: Any) -> dict[str, Any]:
    """Params of `clean_pair` for translation into English, with the text of the wheel `home`."""
    wheels = [{"name": "home", "languages": {}}]
    common = {"step_version": 1, "source": source, "target": "en", "written_in": "en"}
    return {**common, "wheels": wheels, "clean": CLEAN, **changes}


def split_params(**changes: Any) -> dict[str, Any]:
    """Params of `split_corpus` with small numbers of sentences."""
    return {
        "step_version": 1, "dev": 4, "test": 8, "train": 12, "words": [3, 20], "written_in": "en",
        "languages": [["es", "en"], ["de", "en"]], "near_duplicate": 0.6, **changes,
    }  # fmt: skip


def run_stage(folder: Path, rows: list[tuple[str, ...]], pairs: tuple[str, ...] = ("es", "de")) -> Path:
    """All of the stage for some languages into English; the folder of the wheel must be in MTPEFT_WHEELS."""
    wheel = build_wheel(folder / "wheels", "home", json_members(rows))
    archive = folder / "home.zip"
    fetch_wheel(wheel_params(wheel), archive=archive, record=folder / "home.json")
    for source in pairs:
        clean_one(folder, source)
    cleaned = [folder / f"{source}.tsv" for source in pairs]
    params = split_params(languages=[[source, "en"] for source in pairs])
    split_corpus(params, cleaned=cleaned, output=folder / "split.json")
    for source in pairs:
        split_one(folder, source)
    return folder


def clean_one(folder: Path, source: str) -> None:
    """The clean text of one pair, out of the folder's archive."""
    clean_pair(
        clean_params(source),
        archives=[folder / "home.zip"],
        output=folder / f"{source}.tsv",
        record=folder / f"{source}.json",
    )


def split_one(folder: Path, source: str, others: Sequence[Path] = ()) -> None:
    """The parts of one pair, with the folder's split and those of other corpora."""
    params = {"step_version": 1, "near_duplicate": 0.6, "source": source, "target": "en"}
    decontaminate_pair(
        params,
        cleaned=folder / f"{source}.tsv",
        split=folder / "split.json",
        others=others,
        folder=folder / source,
        record=folder / f"{source}.split.json",
    )

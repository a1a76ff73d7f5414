"""Messages that are read out of the catalogues of a wheel."""

import json
import zipfile

import pytest

from mtpeft.core import files
from mtpeft.data.readers.catalogues import gettext_messages, json_messages, read_catalogues
from mtpeft.data.sources.wheels import FETCH_VERSION, archive_languages, fetch_wheel, read_messages
from mtpeft.steps.step import STEPS
from support.corpus import SENTENCES, build_wheel, json_members, wheel_params

GETTEXT = "shop/**/locale/{language}/LC_MESSAGES/*.po"
HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
POLISH = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Add to basket"
msgstr "Dodaj do koszyka"

msgctxt "month"
msgid "May"
msgstr "maj"

msgctxt "permission"
msgid "May"
msgstr "Wolno"

#, fuzzy
msgid "Pay now"
msgstr "Zapłać później"

msgid "Not translated yet"
msgstr ""

msgid "%(count)d parcel"
msgid_plural "%(count)d parcels"
msgstr[0] "%(count)d paczka"
msgstr[1] "%(count)d paczki"
msgstr[2] "%(count)d paczek"

#~ msgid "Withdrawn offer"
#~ msgstr "Wycofana oferta"
"""
JAPANESE = HEADER + 'msgid "%(count)d parcel"\nmsgid_plural "%(count)d parcels"\nmsgstr[0] "荷物%(count)d個"\n'
ENGLISH = HEADER + 'msgid "Add to basket"\nmsgstr ""\n\nmsgid "Colour"\nmsgstr "Color"\n'


def by_message_id(messages):
    return {key.split(":", 1)[1]: text for key, text in messages.items()}


def test_gettext_messages_are_translated_and_not_fuzzy_or_obsolete():
    translated, message_ids = gettext_messages(POLISH, "shop")
    assert by_message_id(translated) == {
        "\x04Add to basket": "Dodaj do koszyka",
        "month\x04May": "maj",
        "permission\x04May": "Wolno",
        "\x04%(count)d parcel": "%(count)d paczka",
        "\x04%(count)d parcels": "%(count)d paczek",
    }
    assert set(message_ids.values()) == {
        "Add to basket", "May", "Pay now", "Not translated yet", "%(count)d parcel", "%(count)d parcels",
    }  # fmt: skip


def test_language_without_plural_pairs_its_one_form_with_the_plural():
    translated, _ = gettext_messages(JAPANESE, "shop")
    assert by_message_id(translated) == {"\x04%(count)d parcels": "荷物%(count)d個"}


def test_message_ids_are_the_english_that_english_catalogues_leave_out(tmp_path):
    members = {
        "shop/cart/locale/pl/LC_MESSAGES/django.po": POLISH,
        "shop/cart/locale/en/LC_MESSAGES/django.po": ENGLISH,
        "shop/pay/deep/locale/pl/LC_MESSAGES/django.po": HEADER + 'msgid "Receipt"\nmsgstr "Paragon"\n',
    }
    with zipfile.ZipFile(build_wheel(tmp_path, "shop", members)) as wheel:
        catalogues = read_catalogues(wheel, members=GETTEXT, form="gettext")
    english = {key.split("\x04")[1]: text for key, text in catalogues["en"].items()}
    assert english["Add to basket"] == "Add to basket"
    assert english["Colour"] == "Color"
    assert english["Receipt"] == "Receipt"
    assert catalogues["pl"].keys() <= catalogues["en"].keys()


def test_json_keys_are_the_way_to_the_string():
    nested = {"step": {"user": {"title": "Log in", "port": 8080, "hints": ["x"]}}, "title": "Door"}
    assert json_messages(nested, "lock/{language}.json") == {
        "lock/{language}.json:step:user:title": "Log in",
        "lock/{language}.json:title": "Door",
    }


@pytest.mark.parametrize("name", ["/home/hall/texts/fr.json", "home/../texts/fr.json", "home/../../texts/fr.json"])
def test_members_that_point_outside_are_ignored(name, tmp_path):
    wheel = build_wheel(tmp_path, "home", {**json_members(SENTENCES[:2]), name: '{"a": "Attention au chien"}'})
    with zipfile.ZipFile(wheel) as opened:
        assert set(read_catalogues(opened, members="**/texts/{language}.json", form="json")) == {"de", "en", "es"}


def test_one_star_stays_in_its_folder(tmp_path):
    text = json.dumps({"a": "Un jardín muy grande"})
    wheel = build_wheel(tmp_path, "home", {"home/a/texts/es.json": text, "home/a/b/texts/fr.json": text})
    with zipfile.ZipFile(wheel) as opened:
        assert set(read_catalogues(opened, members="home/*/texts/{language}.json", form="json")) == {"es"}
        assert set(read_catalogues(opened, members="home/**/texts/{language}.json", form="json")) == {"es", "fr"}


def test_archive_holds_all_languages_and_the_same_bytes_each_time(tmp_path, monkeypatch):
    wheel = build_wheel(tmp_path / "wheels", "home", json_members(SENTENCES))
    monkeypatch.setenv("MTPEFT_WHEELS", str(wheel.parent))
    archives = [tmp_path / "one" / "home.zip", tmp_path / "two" / "home.zip"]
    for archive in archives:
        fetch_wheel(wheel_params(wheel), archive=archive, record=archive.with_suffix(".json"))
    assert archives[0].read_bytes() == archives[1].read_bytes()
    assert archives[0].with_suffix(".json").read_bytes() == archives[1].with_suffix(".json").read_bytes()
    with zipfile.ZipFile(archives[0]) as opened:
        assert {member.date_time[0] for member in opened.infolist()} == {1980}, "no time of writing"
    assert archive_languages(archives[0]) == ["de", "en", "es"]
    assert sorted(read_messages(archives[0], "de").values()) == sorted(row[2] for row in SENTENCES)
    record = files.read_record(archives[0].with_suffix(".json"))
    assert record["messages"] == dict.fromkeys(("de", "en", "es"), len(SENTENCES))
    assert record["licence"] == "MIT"
    assert record["archive_sha256"] == files.sha256_of(archives[0])
    assert wheel.exists(), "a wheel that the user provides is not ours to delete"


def test_wheel_comes_through_pip_and_is_not_kept(tmp_path, monkeypatch):
    wheel = build_wheel(tmp_path / "index", "home", json_members(SENTENCES[:3]))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.delenv("MTPEFT_WHEELS", raising=False)
    folder = tmp_path / "out"
    params = {**wheel_params(wheel), "python": "3.13.2"}
    fetch_wheel(params, archive=folder / "home.zip", record=folder / "home.json")
    assert sorted(path.name for path in folder.iterdir()) == ["home.json", "home.zip"]
    assert len(read_messages(folder / "home.zip", "es")) == 3


def test_the_record_of_a_shipped_model_names_the_version_of_the_download():
    assert STEPS["fetch_wheel"].version == FETCH_VERSION

"""The glossary gives each idea in the three tools' words; tests/conformance looks whether the tools have them."""

import tomllib
from collections import Counter

from shared.settings import ROOT
from tools.scenarios import TOOLS

TERMS = tomllib.loads((ROOT / "page" / "texts" / "glossary.toml").read_text("utf-8"))["term"]


def test_every_term_is_whole() -> None:
    for term in TERMS:
        assert set(term) == {"id", "meaning", "words", "checked", *TOOLS}, term["id"]
        assert set(term["checked"]) == set(TOOLS)
        assert term["meaning"].endswith(".")
        assert all(term[tool] and not term[tool].endswith(".") for tool in TOOLS)


def test_ids_and_words_are_unique() -> None:
    counted = Counter(term["id"] for term in TERMS) + Counter(word for term in TERMS for word in set(term["words"]))
    ids = {term["id"]: set(term["words"]) for term in TERMS}
    twice = {name for name, number in counted.items() if number > 1 and name not in ids.get(name, ())}
    assert not twice

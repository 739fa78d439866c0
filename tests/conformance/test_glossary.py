"""What the page's glossary says of this tool is there in the installed version."""

import inspect
import re
import tomllib
from importlib import import_module
from typing import Any

import pytest

from shared.settings import ROOT
from tests.conftest import TOOL

TERMS = tomllib.loads((ROOT / "page" / "texts" / "glossary.toml").read_text("utf-8"))["term"]


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term["id"])
def test_the_tools_words_stand_for_something_in_the_installed_version(term: dict[str, Any]) -> None:
    assert term["checked"][TOOL] or term[TOOL].startswith("none"), f"{term['id']}: nothing stands for {term[TOOL]!r}"
    for place in term["checked"][TOOL]:
        assert exists(place), f"{term['id']}: {place} is not there"


def exists(place: str) -> bool:
    """Whether module:name is there, and the parameter of module:name(parameter)."""
    found = re.fullmatch(r"([\w.]+):([\w.]+?)(?:\((\w+)\))?", place)
    assert found, f"{place} is not of the form module:name or module:name(parameter)"
    module, name, parameter = found.groups()
    thing: Any = import_module(module)
    for part in name.split("."):
        if not hasattr(thing, part) and part not in fields(thing):
            return False
        thing = getattr(thing, part, None)
    return parameter is None or parameter in fields(thing) | set(inspect.signature(thing).parameters)


def fields(thing: Any) -> set[str]:
    """The fields that a class declares, which need not be attributes of it."""
    return {name for each in getattr(thing, "__mro__", ()) for name in vars(each).get("__annotations__", {})}

"""The code of a scenario's version: all that docs/evidence.json counts as its lines."""

import ast
from functools import cache
from pathlib import Path

from page.code import Extract, Function, code_at, definitions
from shared.settings import ROOT

Place = tuple[str, str]
"""A file, and the qualified name of a function or class in it."""


def code_of(place: str, test: Path, version: str) -> list[Extract]:
    """The functions that the test records as the version (`place` is the first), with those of that file that they use.

    ValueError if one is not there.
    """
    path, first = place.split(":")
    functions = definitions((ROOT / path).read_text("utf-8"))
    places = list(dict.fromkeys([(path, first), *recorded(test, version)]))
    for file, name in places:  # grows as it is read
        used = names_used(functions[name]) if file == path and name in functions else set()
        places += [(path, other) for other in functions if other in used and (path, other) not in places]
    found = [code_at(f"{file}:{name}") for file, name in places]
    return sorted(found, key=lambda each: (each.path != path, each.path, each.first_line))


def recorded(test: Path, version: str) -> list[Place]:
    """The functions that the test passes to `scenario.obvious(…)` or `scenario.idiom(…)`."""
    tree = parsed(test)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    arguments = [each for call in calls if ast.unparse(call.func) == f"scenario.{version}" for each in call.args]
    names = [
        ast.unparse(node) for each in arguments for node in ast.walk(each) if isinstance(node, ast.Name | ast.Attribute)
    ]
    return [place for name in names for place in places_of(name, tree, str(test.relative_to(ROOT)))]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def places_of(name: str, tree: ast.Module, path: str) -> list[Place]:
    """Where the functions stand that a name of a module means: defined in it, imported, or listed under that name."""
    for node in tree.body:
        if isinstance(node, Function) and node.name == name:
            return [(path, name)]
        if isinstance(node, ast.ImportFrom) and name.split(".")[0] in {alias.name for alias in node.names}:
            *folders, function = [*(node.module or "").split("."), *name.split(".")]
            file = f"{'/'.join(folders)}.py"
            defined = definitions((ROOT / file).read_text("utf-8")) if (ROOT / file).exists() else {}
            return [(file, function)] if function in defined else []
        if isinstance(node, ast.Assign) and name in {ast.unparse(target) for target in node.targets}:
            listed = [part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)]
            return [place for each in listed if each != name for place in places_of(each, tree, path)]
    return []


def names_used(function: Function) -> set[str]:
    """The names of other things that a function uses: no parameters, and nothing that it assigns itself."""
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    own = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)} - own
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}

"""Checks who imports whom: orchestrators only in their implementation, and the rooms of shared/ in one direction."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from shared.settings import ROOT

TOOLS = ("airflow", "prefect", "dagster")
# docs/adr/0006-rooms-of-shared.md
ROOMS = {
    "shared/stages": ("shared.stages", "shared.runtime", "shared.plain"),
    "shared/lib": ("shared.stages", "shared.runtime", "shared.plain"),
    "shared/runtime": ("shared.stages", "shared.plain"),
}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each module that a file imports, with its line; for `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def forbidden() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Folders, and the modules that their files may not import."""
    for folder in ("shared", *(f"{tool}_impl" for tool in TOOLS)):
        others = [tool for tool in TOOLS if folder != f"{tool}_impl"]
        yield folder, tuple(name for tool in others for name in (tool, f"{tool}_impl", f"{tool}_graphql"))
    yield from ROOMS.items()


def main() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}: imports {name}, which {folder}/ may not"
        for folder, modules in forbidden()
        for path in (ROOT / folder).rglob("*.py")
        for line, imported in imports(path)
        for name in modules
        if imported == name or imported.startswith(f"{name}.")
    }
    if found:
        sys.exit("\n".join(sorted(found)))


if __name__ == "__main__":
    main()

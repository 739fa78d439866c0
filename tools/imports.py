"""Checks who imports whom: shared/ no orchestrator, an implementation no other one and no other orchestrator."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from shared.settings import ROOT

TOOLS = ("airflow", "prefect", "dagster")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each imported top-level package of a file, with its line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def forbidden(folder: str) -> set[str]:
    others = {tool for tool in TOOLS if folder != f"{tool}_impl"}
    return others | {f"{tool}_impl" for tool in others} | {f"{tool}_graphql" for tool in others}


def main() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: imports {package}, which {folder}/ may not"
        for folder in ("shared", *(f"{tool}_impl" for tool in TOOLS))
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, package in imports(path)
        if package in forbidden(folder)
    ]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()

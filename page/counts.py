"""Counts what each implementation takes: lines of code, and names of its tool's API that one must know."""

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from page.code import stage_code
from shared.runtime.records import STAGES
from shared.settings import ROOT
from tools.readme import PIPELINES
from tools.scenarios import TOOLS

PIPELINE, PACKAGE = "the file with the pipeline", "the whole implementation"
RULE = (
    "Lines are counted without blank lines, comments and docstrings; one that calls two stages counts for both. "
    "A concept is a name that the file imports from its tool and that the code uses; keywords and methods, such as "
    "pool= or .map(), are not counted, nor is what helpers in other files use."
)
BARE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
ORDER = {"deps", "asset_deps", "non_argument_deps", "wait_for"}  # keywords that name what comes before


@dataclass(frozen=True)
class Count:
    """Lines of code, and the distinct names of the tool's API in it, in alphabetical order."""

    lines: int
    concepts: list[str]


@cache
def counts() -> dict[str, dict[str, Count]]:
    """By stage and tool, of the code that page.code finds for the stage."""
    return {stage: {tool: of_stage(tool, stage) for tool in TOOLS} for stage in STAGES}


@cache
def totals() -> dict[str, dict[str, Count]]:
    """By tool, of the file with the pipeline, and of all files of the implementation."""
    pipeline = {tool: of_files([ROOT / PIPELINES[tool.capitalize()]], tool) for tool in TOOLS}
    package = {tool: of_files(sorted((ROOT / f"{tool}_impl").rglob("*.py")), tool) for tool in TOOLS}
    return {PIPELINE: pipeline, PACKAGE: package}


def spelled_out(source: str) -> int:
    """How often code says what comes before something without handing data on: `a >> b`, `deps=…`, `wait_for=…`."""
    nodes = list(ast.walk(ast.parse(source)))
    arrows = [node for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.BinOp)]
    return len(arrows) + sum(isinstance(node, ast.keyword) and node.arg in ORDER for node in nodes)


def of_stage(tool: str, stage: str) -> Count:
    extracts = stage_code(tool, stage)
    api = names_of(tool, (ROOT / extracts[0].path).read_text("utf-8"))
    found = {concept for extract in extracts for concept in concepts(extract.text, api)}
    return Count(sum(lines(extract.text) for extract in extracts), sorted(found))


def of_files(paths: list[Path], tool: str) -> Count:
    sources = [path.read_text("utf-8") for path in paths]
    found = {concept for source in sources for concept in concepts(source, names_of(tool, source))}
    return Count(sum(map(lines, sources)), sorted(found))


def lines(source: str) -> int:
    """Lines that bear code: a statement over three lines counts as three."""
    tokens = [each for each in tokenize.generate_tokens(io.StringIO(source).readline) if each.type not in BARE]
    bearing = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    return len(bearing - set(docstring_lines(ast.parse(source))))


def docstring_lines(tree: ast.Module) -> Iterator[int]:
    """The lines of strings that stand alone: docstrings, also those of constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def names_of(tool: str, source: str) -> dict[str, str | None]:
    """The names that a file imports from its tool, and what they are called there: None for a module (`dg`)."""
    found: dict[str, str | None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: None for alias in node.names if alias.name.split(".")[0] == tool}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == tool:
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
    return found


def concepts(source: str, api: dict[str, str | None]) -> Iterator[str]:
    """Names of the API that code uses: of a module those that stand behind it, such as `asset` for `dg.asset`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in api and api[node.value.id] is None and not node.attr.startswith("_"):
                yield node.attr
        elif isinstance(node, ast.Name) and (name := api.get(node.id)):
            yield name

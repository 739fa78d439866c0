"""Finds code for the page: what each tool's pipeline file has for a stage, and single functions by their name."""

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import itemgetter

from shared.runtime.records import STAGES
from shared.settings import ROOT
from tools.readme import PIPELINES

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Functions = dict[str, Function]
"""By qualified name, as `__qualname__` has it: `late_flights.<locals>.train`."""


@dataclass(frozen=True)
class Extract:
    """Lines of a file, from `first_line` (the file's first is 1), without the indentation that they share."""

    path: str
    first_line: int
    text: str
    qualname: str


def stage_code(tool: str, stage: str) -> list[Extract]:
    """A tool's code of one stage, from top to bottom of its pipeline file; ValueError if it has none.

    That is the function which has the stage's name or bears it as its tag `stage`; the functions of the same file that
    it uses, that hang on it as decorators or that the stage's row in the implementation's README names; and the lines
    of the Dag or the flow that call them.
    """
    path, readme = PIPELINES[tool.capitalize()], ROOT / f"{tool}_impl" / "README.md"
    return code_of(stage, path, (ROOT / path).read_text("utf-8"), readme.read_text("utf-8"))


def code_of(stage: str, path: str, source: str, readme: str) -> list[Extract]:
    """The same, of a file's text and its README's."""
    functions = definitions(source)
    heads = {each: name for each in STAGES for name, node in functions.items() if is_head(node, each)}
    if stage not in heads:
        raise ValueError(f"{path} has no function for the stage {stage}, expected one of that name or with its tag")
    members = {each: members_of(each, heads, functions, readme) for each in heads}
    found = [extract(path, source, name, [functions[name]]) for name in members[stage]]
    for name, flow in functions.items():
        if {"dag", "flow"} & decorators(flow):
            found += [extract(path, source, name, calls) for calls in calls_of(stage, flow, heads, members)]
    return sorted(found, key=lambda each: each.first_line)


def code_at(place: str) -> Extract:
    """The function or class at "path:qualname", as docs/evidence.json names it; ValueError if it is not there."""
    path, name = place.split(":")
    source = (ROOT / path).read_text("utf-8") if (ROOT / path).is_file() else ""
    if name not in (found := definitions(source)):
        raise ValueError(f"{path} has no {name}, which docs/evidence.json names; run make test, then make scenarios")
    return extract(path, source, name, [found[name]])


@cache
def definitions(source: str) -> Functions:
    """The functions and classes of a file, nested ones too."""

    def within(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield prefix + child.name, child
                inner = "." if isinstance(child, ast.ClassDef) else ".<locals>."
                yield from within(child, prefix + child.name + inner)
            else:
                yield from within(child, prefix)

    return dict(within(ast.parse(source), ""))


def is_head(node: Function, stage: str) -> bool:
    """Whether it is the stage's function: by its name, or by a decorator with `tags={"stage": "train"}`."""
    calls = [each for each in node.decorator_list if isinstance(each, ast.Call)]
    return node.name == stage or str({"stage": stage}) in [
        ast.unparse(k.value) for call in calls for k in call.keywords
    ]


def members_of(stage: str, heads: dict[str, str], functions: Functions, readme: str) -> list[str]:
    """The stage's function, and those that belong to it; never that of another stage."""
    rows = re.findall(rf"^\|[^|]*`{stage}`.*$", readme, re.M)
    in_rows = set(re.findall(r"`(\w+)`", "".join(rows)))
    free = {name: node for name, node in functions.items() if name not in heads.values()}
    members = [heads[stage], *(name for name, node in free.items() if node.name in in_rows)]
    for member in members:  # grows as it is read
        used, own_name = words(functions[member]), functions[member].name
        found = [name for name, node in free.items() if node.name in used or own_name in decorators(node)]
        members += [name for name in found if name not in members]
    return members


def decorators(node: Function) -> set[str]:
    """The names in a function's decorators."""
    return {word for decorator in node.decorator_list for word in words(decorator)}


def words(node: ast.AST) -> set[str]:
    """The names that code uses; a parameter counts, as Dagster's assets name what they need by their parameters."""
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


def calls_of(stage: str, flow: Function, heads: dict[str, str], members: dict[str, list[str]]) -> list[list[ast.stmt]]:
    """The statements of a Dag or a flow that belong to the stage; what stands together is one list."""
    marked: list[tuple[bool, ast.stmt]] = []
    current: list[str] = []
    for statement in flow.body:
        current = stages_of(statement, current, heads, members)
        marked.append((stage in current and not isinstance(statement, ast.FunctionDef | ast.Return), statement))
    return [[each for _, each in group] for belongs, group in groupby(marked, key=itemgetter(0)) if belongs]


def stages_of(
    statement: ast.stmt, before: list[str], heads: dict[str, str], members: dict[str, list[str]]
) -> list[str]:
    """The stages whose functions it calls; or the next one whose helpers it uses; or that of the statement before."""
    used = words(statement)
    named = [stage for stage, head in heads.items() if head.split(".")[-1] in used]
    later = [stage for stage in heads if before and STAGES.index(stage) >= STAGES.index(before[-1])]
    helped = [stage for stage in later if used & {name.split(".")[-1] for name in members[stage]}]
    return named or helped[:1] or before


def extract(path: str, source: str, name: str, nodes: Sequence[ast.stmt]) -> Extract:
    """The lines from the first node to the last, with decorators and the comment right above."""
    lines = source.splitlines()
    first = min(node.lineno for node in [nodes[0], *getattr(nodes[0], "decorator_list", [])])
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    text = textwrap.dedent("\n".join(lines[first - 1 : nodes[-1].end_lineno]))
    return Extract(path, first, text, name)

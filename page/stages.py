"""The seven stages: each tool's code for a stage, side by side, and the shared function beneath."""

import ast
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from page import glossary
from page.code import Extract, extract, stage_code
from page.glossary import Term
from shared.runtime.records import STAGES
from shared.settings import ROOT
from tools.readme import PIPELINES
from tools.scenarios import TOOLS

TEXTS = Path(__file__).parent / "texts" / "stages.toml"
ALL = "all-stages"
ONCE = {
    "airflow": ["DEFAULT_ARGS", "late_flights"],
    "prefect": ["is_transient", "RETRIES", "late_flights"],
    "dagster": ["MONTHS", "COMMON", "dagster_impl/stage.py:RETRIES", "dagster_impl/stage.py:stage"],
}
"""What holds for all stages of a tool; of a Dag or a flow the head alone."""


@dataclass(frozen=True)
class Stage:
    """A stage with its author's text, its code by tool, and the file of the function that all tools call.

    `new` has, by tool, the words of the glossary that the tool's code has here for the first time.
    """

    name: str
    same: str
    differs: str
    code: dict[str, list[Extract]]
    new: dict[str, dict[str, Term]]
    shared: Extract


def stages() -> list[Stage]:
    """All stages, in the pipeline's order, and what holds for all; ValueError if an implementation lacks one."""
    texts, terms = tomllib.loads(TEXTS.read_text("utf-8")), glossary.terms()
    seen: dict[str, set[str]] = {tool: set() for tool in TOOLS}
    found = []
    for name in (*STAGES, ALL):
        code = {tool: once(tool) if name == ALL else stage_code(tool, name) for tool in TOOLS}
        new = {tool: new_words(code[tool], terms, seen[tool]) for tool in TOOLS}
        found.append(Stage(name, **texts[name], code=code, new=new, shared=shared(name)))
    return found


def once(tool: str) -> list[Extract]:
    """A tool's code that holds for all its stages; ValueError if it is not there."""
    own = PIPELINES[tool.capitalize()]
    places = [place if ":" in place else f"{own}:{place}" for place in ONCE[tool]]
    return [top_level(*place.split(":")) for place in places]


def top_level(path: str, name: str) -> Extract:
    """A constant or a function of a module; of the Dag and of the flow only the head, with its docstring."""
    source = (ROOT / path).read_text("utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return extract(path, source, name, [node])
        if isinstance(node, ast.FunctionDef) and node.name == name:
            whole = extract(path, source, name, [node])
            last = (node.body[0].end_lineno if name == "late_flights" else node.end_lineno) or node.lineno
            return replace(whole, text="\n".join(whole.text.splitlines()[: last - whole.first_line + 1]))
    raise ValueError(
        f"{path} has no {name} at its top level, which page/stages.py shows; name there what stands for it"
    )


def new_words(code: list[Extract], terms: list[Term], seen: set[str]) -> dict[str, Term]:
    """Names in the code that the glossary explains and that were not seen before, in the glossary's order."""
    names = {name for extract in code for node in ast.walk(ast.parse(extract.text)) for name in names_in(node)}
    new = {word: term for term in terms for word in term.words if word in names - seen}
    seen |= set(new)
    return new


def names_in(node: ast.AST) -> list[str]:
    """What a piece of code may have of a tool: attributes, keywords, what is called, and what decorates."""
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.keyword) and node.arg:
        return [node.arg]
    called = [node.func] if isinstance(node, ast.Call) else getattr(node, "decorator_list", [])
    return [each.id for each in called if isinstance(each, ast.Name)]


def shared(stage: str) -> Extract:
    path = "shared/plain.py" if stage == ALL else f"shared/stages/{stage}.py"
    return Extract(path, 1, (ROOT / path).read_text("utf-8"), stage)

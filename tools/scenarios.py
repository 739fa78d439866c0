"""The matrix scenario × tool, from what the last `make test` saw: `python -m tools.scenarios`.

Prints it, and keeps the evidence (pytest's JUnit XML in `.local/evidence`) in docs/evidence.json, from which the
README's matrix is made. What a tool said must be the same in each run; times and counts are those of the run kept.
"""

import ast
import json
import sys
import xml.etree.ElementTree as ET
from functools import cache
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.settings import ROOT

RECORDED = ROOT / ".local" / "evidence"
KEPT = ROOT / "docs" / "evidence.json"
TOPICS = ("dynamic_tasks", "retries")
TOOLS = ("airflow", "prefect", "dagster")

Facts = dict[tuple[str, str], dict[str, Any]]
"""Facts by key, of each (scenario, tool); a scenario is `topic/test`."""


def main() -> None:
    facts = recorded()
    pairs = [(scenario, tool) for scenario in scenarios() for tool in TOOLS]
    if missing := [
        f"{scenario} in {tool}" for scenario, tool in pairs if "said" not in facts.get((scenario, tool), {})
    ]:
        sys.exit(f"error: there is no evidence of {', '.join(missing)}; run make test first")
    by_scenario = {scenario: {tool: facts[scenario, tool] for tool in TOOLS} for scenario in scenarios()}
    KEPT.write_text(json.dumps(by_scenario, indent=1) + "\n", "utf-8")
    table = Table("", *map(str.capitalize, TOOLS), show_lines=True)
    for scenario in scenarios():
        cells = ["\n".join([its["said"], *places(scenario, tool, its)]) for tool, its in by_scenario[scenario].items()]
        table.add_row(title(scenario), *map(escape, cells))
    Console(width=max(180, Console().width)).print(table)


def recorded() -> Facts:
    """What the last run of the tests saw."""
    facts: Facts = {}
    for tool in TOOLS:
        report = RECORDED / f"{tool}.xml"
        for case in ET.parse(report).iter("testcase") if report.exists() else ():
            scenario = f"{case.attrib['classname'].split('.')[1]}/{case.attrib['name']}"
            facts[scenario, tool] = {its.attrib["name"]: value(its.attrib["value"]) for its in case.iter("property")}
    return facts


def value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def kept() -> Facts:
    """What docs/evidence.json says."""
    by_scenario = json.loads(KEPT.read_text("utf-8"))
    return {(scenario, tool): its for scenario, tools in by_scenario.items() for tool, its in tools.items()}


def disagreements() -> list[str]:
    """Where the last run of the tests saw something else than what is kept."""
    seen = {pair: facts.get("said") for pair, facts in recorded().items()}
    return [
        f"{scenario}: {tool} said {seen.get((scenario, tool))!r}, docs/evidence.json has {facts['said']!r}"
        for (scenario, tool), facts in kept().items()
        if seen.get((scenario, tool)) != facts["said"]
    ]


def scenarios() -> list[str]:
    """All scenarios in order; ends with a sentence if the three tools' tests are not parallel."""
    parallel("pages")
    return [f"{topic}/{name}" for topic in TOPICS for name in parallel(topic)]


def parallel(topic: str) -> list[str]:
    """The names of a folder's tests, which are the same for each tool; ends with a sentence if they are not."""
    tests = {tool: [n for n in lines(f"tests/{topic}/test_{tool}.py") if n.startswith("test_")] for tool in TOOLS}
    for tool, found in tests.items():
        if found != tests[TOOLS[0]]:
            expected = tests[TOOLS[0]]
            sys.exit(f"error: {topic}/test_{tool}.py has {found}, expected the tests of {TOOLS[0]}: {expected}")
    return tests[TOOLS[0]]


@cache
def lines(path: str) -> dict[str, int]:
    """The line of each function of a file, in order."""
    nodes = ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
    functions = [node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {node.name: node.lineno for node in sorted(functions, key=lambda node: node.lineno)}


def places(scenario: str, tool: str, facts: dict[str, Any]) -> tuple[str, str]:
    """`file:line` of the scenario's test, and of its own DAG, flow or job."""
    topic, test = scenario.split("/")
    path, code = f"tests/{topic}/test_{tool}.py", facts["code"].split(":")
    return f"{path}:{lines(path)[test]}", f"{code[0]}:{lines(code[0])[code[1].split('.')[-1]]}"


def title(scenario: str) -> str:
    """`D1 width is known at run time` for `dynamic_tasks/test_d1_width_is_known_at_run_time`."""
    number, *words = scenario.split("/test_")[1].split("_")
    return " ".join([number.upper(), *words])


def markdown() -> str:
    """The matrix for the README, from docs/evidence.json."""
    known = kept()
    rows = [["", *map(str.capitalize, TOOLS)], ["---"] * (len(TOOLS) + 1)]
    for scenario in scenarios():
        cells = [cell(known[scenario, tool]["said"], *places(scenario, tool, known[scenario, tool])) for tool in TOOLS]
        rows.append([f"**{title(scenario)}**", *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def cell(said: str, test: str, code: str) -> str:
    return f"[{said}]({test.replace(':', '#L')}) ([code]({code.replace(':', '#L')}))"


if __name__ == "__main__":
    main()

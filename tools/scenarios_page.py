"""The scenarios as Markdown: the README's table of grades, and docs/scenarios.md with everything."""

import tomllib
from typing import Any

from shared.settings import ROOT
from tools.scenarios import TOOLS, VERSIONS, Scenario, grade, kept, legend, scenarios, sign, words

SETTINGS = ROOT / "tests" / "live" / "settings.toml"


def grades() -> str:
    """The README's table: for each scenario and tool the sign, linked to its test."""
    evidence, rows = kept(), [["", *map(str.capitalize, TOOLS)], ["---"] * (len(TOOLS) + 1)]
    for scenario in scenarios():
        cells = evidence.get(scenario.id, {})
        linked = [
            f"[{sign(scenario, cells[tool])}]({scenario.test(tool).relative_to(ROOT)})" if tool in cells else ""
            for tool in TOOLS
        ]
        rows.append([f"[{scenario.id}](docs/scenarios.md#{scenario.id.lower()}) {scenario.text['title']}", *linked])
    return table_of(rows) + f"\n{legend()}.\n"


def page() -> str:
    """docs/scenarios.md: every scenario in full, and the settings that the tests change."""
    evidence = kept()
    parts = [INTRODUCTION.format(legend=legend())]
    parts += [section(scenario, evidence.get(scenario.id, {})) for scenario in scenarios()]
    return "\n".join([*parts, changed_settings()])


INTRODUCTION = """# The scenarios

Made by `make format` from each scenario's `scenario.toml` and [evidence.json](evidence.json), which `make scenarios`
keeps from what `make test` recorded. Answers and facts are read from the tool's own records; the sentence under the
table is the author's.
*obvious* is the code that the tool's docs teach first; *idiom* is what its best users write. The grade is computed:

{legend}.

*Live* runs have the tool's servers and processes on one machine with two cores; *in process* is `dag.test()`, a flow
that is called, or `execute_in_process`. Prefect's thread pool runs two tasks at a time there, the other two run one.
Seconds are those of one run on one machine; `make scenario R4 RUN=1` measures them on yours. All three tools keep their
records in SQLite here: where Airflow's API answers 500, or Prefect's 503, as the file is locked, the tests ask again.
"""


def section(scenario: Scenario, cells: dict[str, dict[str, Any]]) -> str:
    text = scenario.text
    columns = [(tool, version) for tool in TOOLS for version in VERSIONS if version in cells.get(tool, {})]
    rows = [["", *(f"{tool.capitalize()}, {version}" for tool, version in columns)], ["---"] * (len(columns) + 1)]
    for name, question in text["answers"].items():
        label = f"**{question}**" if name in text["wanted"] else question
        rows.append([label, *("yes" if cells[t][v]["answers"][name] else "no" for t, v in columns)])
    rows += [[label, *(words(cells[t][v]["facts"][name]) for t, v in columns)] for name, label in text["facts"].items()]
    rows.append(["The run says success", *(words(cells[t][v]["success"]) for t, v in columns)])
    rows.append(
        [
            "Code",
            *(
                f"[{cells[t][v]['lines']} lines](../{cells[t][v]['code'].split(':')[0]}), {cells[t][v]['mode']}"
                for t, v in columns
            ),
        ]
    )
    findings = [f"- {told(scenario, tool, cell)}" for tool, cell in cells.items()]
    head = f'<a id="{scenario.id.lower()}"></a>\n## {scenario.id} {text["title"]}\n\n{text["question"]}\n\n'
    return f"{head}*Why:* {text['why']}\n\n*Set-up:* {text['setup']}\n\n{table_of(rows)}\n" + "\n".join(findings) + "\n"


def told(scenario: Scenario, tool: str, cell: dict[str, Any]) -> str:
    """Grade and finding of a tool in one line."""
    head = f"{sign(scenario, cell)} **{tool.capitalize()} {cell['version']}**, {grade(scenario, cell)}"
    own_code = cell.get("idiom", {}).get("own_code")
    return f"{head}: {cell['finding']}" + (f" Own code: {own_code}" if own_code else "")


def changed_settings() -> str:
    """The settings that the tests change, tool by tool."""
    rows = [["Tool", "Setting", "Default", "Here", "Why"], ["---"] * 5]
    for tool, changes in tomllib.loads(SETTINGS.read_text("utf-8")).items():
        for name, change in changes.items():
            values = [f"{words(change[which])} {change['unit']}".strip() for which in ("default", "here")]
            rows.append([tool.capitalize(), f"`{name}`", *values, change["why"]])
    source = "From [settings.toml](../tests/live/settings.toml), which the engines read."
    return f"## Settings that the tests change\n\n{source}\n\n{table_of(rows)}"


def table_of(rows: list[list[str]]) -> str:
    """Rows of cells as a Markdown table."""
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)

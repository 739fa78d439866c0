"""The scenarios as Markdown: the README's table of grades, and docs/scenarios.md with everything."""

import itertools
import tomllib
from typing import Any

from shared.settings import ROOT
from tools.scenarios import TOOLS, VERSIONS, Evidence, Scenario, grade, kept, last, legend, scenarios, sign, words

SETTINGS = ROOT / "tests" / "live" / "settings.toml"


def grades() -> str:
    """The README's table of grades: topic by topic its scenarios across, tools down, each sign linked to its test."""
    evidence, topics = kept(), itertools.groupby(scenarios(), key=lambda scenario: scenario.topic)
    rows = [row for topic, found in topics for row in topic_rows(topic, list(found), evidence)]
    width = max(map(len, rows))
    rows = [row + [""] * (width - len(row)) for row in rows]
    return table_of([rows[0], ["---"] * width, *rows[1:]]) + f"\n{legend()}.\n"


def topic_rows(topic: str, found: list[Scenario], evidence: Evidence) -> list[list[str]]:
    titles = [f"[{each.id}](docs/scenarios.md#{each.id.lower()}) {each.text['title']}" for each in found]
    rows = [[f"**{topic.replace('_', ' ').capitalize()}**", *titles]]
    for tool in TOOLS:
        cells = [(each, evidence.get(each.id, {}).get(tool)) for each in found]
        signs = [f"[{sign(each, cell)}]({each.test(tool).relative_to(ROOT)})" if cell else "" for each, cell in cells]
        rows.append([tool.capitalize(), *signs])
    return rows


def page() -> str:
    """docs/scenarios.md: every scenario in full, and the settings that the tests change."""
    evidence = kept()
    parts = [INTRODUCTION.format(legend=legend())]
    parts += [section(scenario, evidence.get(scenario.id, {})) for scenario in scenarios()]
    return "\n".join([*parts, changed_settings()])


INTRODUCTION = """# The scenarios

Made by `make format` from each scenario's `scenario.toml` and [evidence.json](evidence.json), which `make scenarios`
keeps from what `make test` recorded (S2, S3, S5: `make test-cluster`). Answers and facts are read from the tool's own
records; the sentence under the table is the author's.
*obvious* is the code that the tool's docs teach first; *idiom* is what its best users write. The grade is computed:

{legend}.

*Live* runs have the tool's servers and processes on one machine with two cores; *in process* is `dag.test()`, a flow
that is called, or `execute_in_process`. Prefect's thread pool runs two tasks at a time there, the other two run one.
Seconds are those of one run on one machine; `make scenario R4 RUN=1` measures them on yours. All three tools keep their
records in SQLite here, except on clusters (S2, S3, S5): where Airflow's API answers 500, or Prefect's 503, as the
file is locked, the tests ask again. Prefect's server gives up an event after four looks at a locked file, and an
automation then misses it, or a report comes a minute late; a test of automations that fails runs again if the server
says that its file was locked meanwhile.
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
    own = last(cell)["own_code"]
    return f"{head}: {cell['finding']}" + (f" Own code: {own}" if own else "")


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

"""Writes the generated parts of README.md and docs; with --check, exits 1 if they are out of date."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from shared.runtime import records
from shared.settings import ROOT
from tools import demo_lineage, picture, scenarios_page

README = ROOT / "README.md"
PIPELINES = {
    "Airflow": "airflow_impl/pipeline.py",
    "Prefect": "prefect_impl/pipeline.py",
    "Dagster": "dagster_impl/defs/assets.py",
}


def main() -> None:
    readme = README.read_text("utf-8")
    readme = fill(readme, "train", train_side_by_side())
    readme = fill(readme, "constructs", constructs())
    readme = fill(readme, "scenarios", scenarios_page.grades())
    readme = fill(readme, "lineage", scenarios_page.table_of(demo_lineage.rows()))
    generated = {
        README: readme,
        ROOT / "docs" / "scenarios.md": scenarios_page.page(),
        ROOT / "docs" / "pipeline.svg": picture.pipeline(),
    }
    for path, new in generated.items():
        if "--check" not in sys.argv:
            path.write_text(new, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != new:
            sys.exit(f"{path.name} is out of date with the code and the evidence that it shows; run make format")


def fill(text: str, name: str, content: str) -> str:
    """Put `content` between the markers of the part `name`."""
    begin, end = f"<!-- begin {name} (generated) -->\n", f"<!-- end {name} -->"
    head, rest = text.split(begin)
    return head + begin + content + end + rest.split(end)[1]


def train_side_by_side() -> str:
    """The `train` stage of the three pipelines, from their source."""
    parts = [f"**{tool}** ([{path}]({path}))\n```python\n{train_of(path)}\n```\n" for tool, path in PIPELINES.items()]
    return "".join(parts)


def constructs() -> str:
    """For each stage the construct of each tool, from the tables in the implementations' READMEs."""
    tables = [dict(construct_rows(ROOT / f"{tool.lower()}_impl" / "README.md")) for tool in PIPELINES]
    rows = [["", *PIPELINES], ["---"] * (len(PIPELINES) + 1)]
    rows += [[f"`{stage}`", *(table[stage] for table in tables)] for stage in records.STAGES]
    return scenarios_page.table_of(rows)


def construct_rows(path: Path) -> Iterator[tuple[str, str]]:
    """Stage and construct of each row such as "| `ingest`, `validate` | `@task` | why |" in a README."""
    for line in path.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        if len(cells) > 3:
            yield from ((name, cells[2]) for name in re.findall(r"`(\w+)`", cells[1]) if name in records.STAGES)


def train_of(path: str) -> str:
    """The function `train` with its decorators."""
    source = (ROOT / path).read_text("utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name in ("train", "train_candidate"):
            lines = source.splitlines()[min(d.lineno for d in node.decorator_list) - 1 : node.end_lineno]
            indent = min(len(line) - len(line.lstrip()) for line in lines if line)
            return "\n".join(line[indent:] for line in lines)
    raise SystemExit(f"{path} has no function train, expected the pipeline's stage of that name")


if __name__ == "__main__":
    main()

"""What each tool knows about the demo's champion, kept for the README in docs/lineage.json.

`python -m tools.demo_lineage` asks each tool by the command behind `make lineage`, in the home of the last `make
demo`.
"""

import json
import os
import subprocess
import sys

from shared.settings import ROOT
from tools.demo import HOME, python_of
from tools.scenarios import TOOLS

KEPT = ROOT / "docs" / "lineage.json"
ROWS = {
    "assets": "from the model back",
    "run_id": "the run that made it",
    "settings": "its settings",
    "code_version": "the code's version",
    "files": "sha256 of the source files",
}


def main() -> None:
    if not HOME.exists():
        sys.exit(f"error: {HOME.relative_to(ROOT)} is not there, and with it no champion; run make demo first")
    KEPT.write_text(json.dumps({tool: ask(tool) for tool in TOOLS}, indent=1) + "\n", "utf-8")


def ask(tool: str) -> dict[str, object]:
    """The tool's own answer, gaps as None. Exits with the tool's error if it has none."""
    command = [str(python_of(tool)), "-m", f"{tool}_impl.lineage", "--model", "champion", "--json"]
    asked = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TRIPTYCH_HOME": str(HOME)})
    if asked.returncode:
        sys.exit(asked.stderr)
    answer: dict[str, object] = json.loads(asked.stdout.splitlines()[-1])  # before it, a server may say that it starts
    return answer


def rows() -> list[list[str]]:
    """The README's table: what each tool answered."""
    kept = json.loads(KEPT.read_text("utf-8"))
    answers = [[label, *(short(name, kept[tool][name]) for tool in TOOLS)] for name, label in ROWS.items()]
    return [["", *map(str.capitalize, TOOLS)], ["---"] * (len(TOOLS) + 1), *answers]


def short(name: str, value: object) -> str:
    """A value as one reads it in a cell."""
    if value is None:
        return "not known"
    if isinstance(value, list):
        together = [asset.split(", ") for asset in value]
        return " ← ".join(f"`{first}`" + (f" and {len(more)} more" if more else "") for first, *more in together)
    if isinstance(value, dict) and name == "files":
        return f"of all {len(value)}, such as `{next(iter(value))}`: `{next(iter(value.values()))[:8]}…`"
    return ", ".join(f"`{key}`" for key in value) if isinstance(value, dict) else f"`{value}`"


if __name__ == "__main__":
    main()

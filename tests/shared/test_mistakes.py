"""What the tests saw of the mistakes is kept, and compared with what was kept before."""

import json
import re
from pathlib import Path

import pytest

from shared.settings import ROOT
from tools import mistakes, scenarios

CASE = """<testsuites><testsuite><testcase classname="tests.mistakes.test_{tool}" name="test_cycle">
<properties><property name="mistake" value='{cell}'/></properties>{failure}</testcase></testsuite></testsuites>"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scenarios, "RECORDED", tmp_path)
    monkeypatch.setattr(mistakes, "KEPT", tmp_path / "mistakes.json")
    return tmp_path


def report(folder: Path, message: str, seconds: float = 1.0, failure: str = "", tool: str = "airflow") -> None:
    cell = json.dumps({"message": message, "seen_by": "the log", "seconds": seconds})
    (folder / f"{tool}.xml").write_text(CASE.format(cell=cell, failure=failure, tool=tool))


def test_keeps_what_the_tests_saw_with_the_common_texts(folder: Path) -> None:
    report(folder, "a cycle")
    mistakes.main()
    report(folder, "a circle", tool="dagster")
    (folder / "airflow.xml").unlink()
    mistakes.main()
    kept = json.loads((folder / "mistakes.json").read_text())
    assert list(kept) == ["cycle"]
    assert {tool: cell["message"] for tool, cell in kept["cycle"]["tools"].items()} == {
        "airflow": "a cycle",
        "dagster": "a circle",
    }
    assert kept["cycle"]["title"] == mistakes.texts()["cycle"]["title"]


def test_tells_another_message_but_not_other_seconds(folder: Path) -> None:
    report(folder, "a cycle")
    assert len(mistakes.disagreements()) == 2
    mistakes.main()
    report(folder, "a cycle", seconds=9)
    assert mistakes.disagreements() == []
    report(folder, "a ring")
    assert mistakes.disagreements() == [
        "the mistake cycle in airflow: message is 'a ring' now, docs/mistakes.json has 'a cycle'"
    ]
    report(folder, "a ring", failure="<failure/>")
    assert mistakes.disagreements() == []


@pytest.mark.parametrize("tool", scenarios.TOOLS)
def test_each_tool_makes_all_mistakes_in_one_order(tool: str) -> None:
    test = (ROOT / "tests" / "mistakes" / f"test_{tool}.py").read_text("utf-8")
    assert re.findall(r"^def test_(\w+)", test, re.M) == ["no_mistake", *mistakes.texts()]

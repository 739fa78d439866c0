"""The folder that is written: its links, its size, and what it says of what is missing."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from page import __main__, kept, site, timeline
from tools import readme, scenarios
from tools.scenarios import TOOLS, grade, is_trap


class Links(HTMLParser):
    """The addresses that a page leads to, and the ids that can be led to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links, self.ids = list[str](), list[str]()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attributes if name in ("href", "src") and value]
        self.ids += [value for name, value in attributes if name == "id" and value]


def test_every_link_leads_to_a_file_and_a_place_in_it(folder: Path) -> None:
    pages = {path: Links(path) for path in folder.rglob("*.html")}
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path
        for link in page.links:
            address, anchor = urldefrag(link)
            target = (path.parent / unquote(address)).resolve() if address else path
            assert address.startswith("data:") or target.is_file(), f"{path.name} links to {link}"
            assert not anchor or anchor in pages[target].ids, f"{path.name} links to {link}"


def test_what_the_search_finds_leads_somewhere(folder: Path) -> None:
    entries = json.loads((folder / "search.js").read_text("utf-8").partition(" = ")[2].rstrip(";\n"))
    assert {"scenario", "stage"} <= {entry["kind"] for entry in entries}
    pages = {str(path.relative_to(folder)): Links(path) for path in folder.rglob("*.html")}
    for entry in entries:
        address, anchor = urldefrag(entry["address"])
        assert address in pages, entry
        assert not anchor or anchor in pages[address].ids, entry


def test_is_small_and_has_a_page_for_each_scenario(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 5_000_000
    expected = {f"{scenario.id.lower()}.html" for scenario in scenarios.scenarios()}
    assert {path.name for path in (folder / "scenarios").iterdir()} == expected


def test_grades_are_those_of_the_evidence(folder: Path) -> None:
    html = (folder / "scenarios.html").read_text("utf-8")
    for scenario in scenarios.scenarios():
        row = html.partition(f'<tr id="{scenario.id.lower()}">')[2].partition("</tr>")[0]
        cells = scenarios.kept().get(scenario.id, {})
        recorded = [(grade(scenario, cells[tool]), is_trap(scenario, cells[tool])) for tool in TOOLS if tool in cells]
        shown = re.findall(r"</span> ([a-z ]+)</a>( <span class=\"trap\">)?", row)
        assert [(words, bool(warned)) for words, warned in shown] == recorded, scenario.id


def test_shows_the_lines_of_the_stage_from_each_implementation(folder: Path) -> None:
    html = (folder / "stages.html").read_text("utf-8")
    text = re.sub(r"<[^>]*>", "", html.partition('id="train"')[2].partition('id="evaluate"')[0])
    for line in ("trained = train.partial(planned=planned)", "trainings = train.map(", ".map(lambda candidate: "):
        assert line in text
    assert "def validate" not in text


def test_a_stage_that_an_implementation_lacks_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = tmp_path / "pipeline.py"
    pipeline.write_text(Path("prefect_impl/pipeline.py").read_text("utf-8").replace("def train(", "def fit("), "utf-8")
    monkeypatch.setitem(readme.PIPELINES, "Prefect", str(pipeline))
    monkeypatch.setattr(__main__, "FOLDER", tmp_path / "page")
    with pytest.raises(SystemExit, match=r"^error: .*pipeline.py has no function for the stage train, expected"):
        __main__.main()
    assert not (tmp_path / "page").exists()


def test_what_is_missing_is_told_with_the_command_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = scenarios.kept()
    del evidence["R4"], evidence["D1"]["dagster"]
    (tmp_path / "evidence.json").write_text(json.dumps(evidence))
    monkeypatch.setattr(scenarios, "KEPT", tmp_path / "evidence.json")
    monkeypatch.setattr(kept, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(kept, "PICTURES", tmp_path / "pictures")
    site.build(tmp_path / "page")

    def told(page: str) -> list[str]:
        html = (tmp_path / "page" / page).read_text("utf-8")
        return [re.sub(r"<[^>]*>", "", text) for text in re.findall(r'<p class="missing">(.*?)</p>', html, re.S)]

    (r4,) = told("scenarios/r4.html")
    assert r4.startswith("There is no evidence of Airflow, Prefect, Dagster yet. Run make scenario R4 RUN=1")
    (d1,) = told("scenarios/d1.html")
    assert d1.startswith("There is no evidence of Dagster yet.")
    assert len(told("scenarios.html")) == 2
    says = {
        "cost.html": "Run make bench",
        "mistakes.html": "make scenarios",
        "lineage.html": "make lineage-",
    }
    for page, words in says.items():
        assert any(words in text for text in told(page)), page
    assert told("scenarios/r5.html") == []


def test_is_written_without_any_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios, "KEPT", tmp_path / "evidence.json")
    monkeypatch.setattr(timeline, "HOME", tmp_path)
    html = dict(site.pages(site.content()))
    assert html["scenarios.html"].count("has no evidence of Airflow, Prefect, Dagster") == len(scenarios.scenarios())
    assert html["index.html"].count("Run <code>make demo</code>") == html["lineage.html"].count("make demo</code>") == 1


def test_mistakes_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {
        "code": "@task\ndef f(): ...\n",
        "where": "tests/a.py:f",
        "message": "no <such> thing",
        "when": "run",
        "seen_by": "the log",
        "seconds": 1.25,
        "version": "1.0",
    }
    mistake = {"title": "A typo", "what": "A name is misspelt.", "tools": {tool: seen for tool in TOOLS}}
    (tmp_path / "mistakes.json").write_text(json.dumps({"typo": mistake}))
    monkeypatch.setattr(kept, "DOCS", tmp_path)
    template = site.templates().get_template("mistakes.html")
    html = template.render(mistakes=kept.mistakes(), view="mistakes", root="")
    assert html.count("no &lt;such&gt; thing") == html.count("<b>1.2 s</b> until it is seen: the log") == len(TOOLS)
    assert "Not told" not in html
    (tmp_path / "mistakes.json").write_text(
        json.dumps({"typo": mistake | {"tools": {"airflow": seen | {"when": "never"}}}})
    )
    silent = template.render(mistakes=kept.mistakes(), view="mistakes", root="")
    assert silent.count("<b>Not told</b>: the log") == 1
    assert "until it is seen: the log" not in silent
    assert 'id="typo"' in html
    assert "tests/a.py:f" in html

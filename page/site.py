"""Writes the comparison page: a folder of HTML files that works from any place, without a server or a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from page import claims, colours, counts, glossary, kept, needs, prose, scenario_pages, search, stages, timeline
from tools import demo, picture
from tools.scenarios import SIGNS, TOOLS, TRAP, words

HERE = Path(__file__).parent
NAVIGATION = {
    "index": "Start",
    "stages": "Stage by stage",
    "scenarios": "Scenarios",
    "claims": "Claims",
    "cost": "Cost",
    "lineage": "Lineage and runs",
    "mistakes": "Mistakes",
    "glossary": "Glossary",
}


def build(folder: Path) -> None:
    """Write all files into the folder, in place of what was in it; ValueError if the code lacks what is to be shown."""
    everything = content()
    files = dict(pages(everything))
    files["style.css"] = colours.css() + (HERE / "static" / "style.css").read_text("utf-8")
    files["search.js"] = search.script(everything)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "static", folder)
    (folder / "scenarios").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    for path in kept.lineage_pictures():
        shutil.copy(path, folder / f"lineage-{path.name}")


def pages(everything: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The HTML files: their names in the folder, and their text."""
    environment = templates()
    for view in NAVIGATION:
        yield f"{view}.html", environment.get_template(f"{view}.html").render(everything, view=view, root="")
    for each in everything["scenarios"]:
        html = environment.get_template("scenario.html").render(everything, each=each, view="scenarios", root="../")
        yield f"scenarios/{each.id.lower()}.html", html


def templates() -> Environment:
    loader = FileSystemLoader(HERE / "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"inline": prose.inline, "code": prose.code, "words": words, "linked": prose.with_terms}
    environment.globals |= {"navigation": NAVIGATION, "tools": TOOLS, "signs": SIGNS, "trap": TRAP}
    return environment


def content() -> dict[str, Any]:
    """All that the templates show, by the name that they use."""
    runs, scenarios = timeline.demo(), scenario_pages.shown()
    return {
        "stages": stages.stages(),
        "terms": glossary.terms(),
        "scenarios": scenarios,
        "topics": scenario_pages.by_topic(scenarios),
        "claims": claims.claims(),
        "needs": needs.needs(),
        "counts": counts.counts(),
        "totals": counts.totals(),
        "counted": counts.RULE,
        "charts": charts() if kept.bench() else [],
        "mistakes": kept.mistakes(),
        "lineage": kept.lineage(),
        "pictures": [path.name for path in kept.lineage_pictures()],
        "settings": kept.settings(),
        "runs": runs,
        "cells": demo.cells,
        "columns": demo.COLUMNS,
        "timelines": timeline.timelines(runs),
        "pipeline": picture.pipeline(),
    }


def charts() -> Any:
    """What `make bench` measured; only then is Altair loaded, which takes a second."""
    from page import charts

    return charts.charts()

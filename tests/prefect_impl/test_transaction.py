"""Prefect's transaction around the deployment, and what a run that is tried again takes from the cache."""

from pathlib import Path
from typing import Any

import pytest

import shared.stages.ingest
from prefect_impl import artifacts
from prefect_impl.home import ensure_server
from prefect_impl.pipeline import late_flights
from prefect_impl.run import run
from shared import plain
from shared.lib import registry
from shared.settings import Settings


def test_deployment_that_cannot_be_announced_is_undone(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("no way to announce it")

    settings = Settings(tool="prefect", source=str(source), min_rows=100)
    with monkeypatch.context() as broken:
        broken.setattr(artifacts, "announce", refuse)
        record = run("2013-06", settings)

    assert record.state == "failed"
    assert record.error == "no way to announce it"
    assert registry.aliases(settings) == {}

    again = run("2013-06", settings)
    assert again.state == "success"
    assert registry.aliases(settings) == {"champion": "1"}


def test_run_that_is_tried_again_is_compared_with_the_champion_that_serves_by_then(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"source": str(source), "min_rows": 100, "families": ("logistic",)}
    ingest, ingested, announced = shared.stages.ingest.ingest, list[str](), list[str]()

    def ingest_while_another_run_promotes(month: str, settings: Settings) -> Any:
        ingested.append(month)
        if len(ingested) == 2:
            assert plain.run(month, settings).evaluation.decision == "promote"
        return ingest(month, settings)

    def note_and_refuse(*arguments: Any) -> None:
        announced.append("")
        raise OSError("no way to announce it")

    monkeypatch.setattr(shared.stages.ingest, "ingest", ingest_while_another_run_promotes)
    monkeypatch.setattr(artifacts, "announce", note_and_refuse)
    ensure_server()
    assert late_flights.with_options(retries=1)(month="2013-06", **small).decision == "keep"
    assert len(announced) == 1
    assert registry.aliases(Settings(tool="prefect")) == {"champion": "1"}

"""Prefect's transaction around the deployment: what can't be announced does not stay in service."""

from pathlib import Path

import pytest

from prefect_impl import artifacts
from prefect_impl.run import run
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

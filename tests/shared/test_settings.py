"""Settings: one home for everything, and names that keep the tools apart."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.contracts import PermanentError
from shared.runtime.records import TOOLS
from shared.settings import ROOT, Settings


def test_home_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "here"))

    assert Settings().home == tmp_path / "here"


@pytest.mark.parametrize("value", [None, ""])
def test_home_is_else_in_the_checkout(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("TRIPTYCH_HOME")
    if value is not None:
        monkeypatch.setenv("TRIPTYCH_HOME", value)

    assert Settings().home == ROOT / ".local"


def test_relative_home_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIPTYCH_HOME", "here")

    assert Settings().home == tmp_path / "here"


def test_tools_share_a_home_but_no_store_experiment_or_model(tmp_path: Path) -> None:
    every = [Settings(tool=tool, home=tmp_path) for tool in TOOLS]

    for name in ("store", "experiment", "model_name"):
        assert len({getattr(settings, name) for settings in every}) == len(TOOLS)
    assert len({settings.tracking_uri for settings in every}) == 1
    assert all(settings.store.is_relative_to(tmp_path) for settings in every)


@pytest.mark.parametrize("wrong", [{"min_rows": 0}, {"seed": -1}, {"min_row": 5}, {"families": "logistic"}])
def test_wrong_setting_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings.model_validate(wrong)


@pytest.mark.parametrize(
    "source",
    [
        "http://vendor:geheim@127.0.0.1:8000/drop",
        "https://geheim@host/drop",
        "HTTPS://:geheim@host",
        "http://vendor:p/geheim@host/drop",
        "http://vendor:8080@geheim",
        " s3://key:geheim@bucket/drop",
        "https://host/drop?token=geheim",
    ],
)
def test_source_with_a_login_in_it_is_refused_and_not_quoted(source: str) -> None:
    with pytest.raises(
        PermanentError, match=r"source is a URL with .*; put the login of its host into ~/\.netrc"
    ) as error:
        Settings(source=source)

    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/drop/a@b?c",
        "http://127.0.0.1:8000/@drop/a:b@c",
        "https://host/drop",
        "s3://bucket/team@x/?",
        "file:///a@b",
    ],
)
def test_source_without_a_login_is_taken(source: str) -> None:
    assert Settings(source=source).source == source

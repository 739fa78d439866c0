"""The HTTP app: the champion's own answers, whichever version that is, and clear refusals."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from shared.contracts import Evaluation
from shared.lib import registry, serving, tracking
from shared.lib.feature_table import CATEGORICAL, FEATURE_COLUMNS, NUMERIC
from shared.lib.serving import Flight, create_app, predict_once, serve_in_thread
from shared.settings import ROOT, Settings
from shared.stages.deploy import deploy

MONTH = "2013-05"
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture(scope="module")
def url(in_service: Any) -> Iterator[str]:
    """An app that serves the champion."""
    with serve_in_thread(create_app(in_service.settings)) as url:
        yield url


@pytest.fixture(scope="module")
def flights(rows: pl.DataFrame) -> pl.DataFrame:
    """Flights of all airports, some with nulls."""
    return rows.filter(month=MONTH).select(FEATURE_COLUMNS).head(60)


def post(url: str, flights: Any) -> httpx.Response:
    return httpx.post(f"{url}/predict", json=flights, timeout=30, trust_env=False)


def version_at(url: str) -> str | None:
    version: str | None = httpx.get(f"{url}/health", timeout=30, trust_env=False).json()["version"]
    return version


def rows_of(flights: pl.DataFrame) -> list[dict[str, Any]]:
    return flights.fill_nan(None).to_dicts()


def add_version_like_the_first(settings: Settings) -> Any:
    """Register the first version's model a second time."""
    first = tracking.client(settings).get_model_version(settings.model_name, "1")
    return registry.add_version(first.source, first.model_id, first.run_id, {}, settings)


def test_answers_are_the_models_own(url: str, in_service: Any, flights: pl.DataFrame) -> None:
    response = post(url, rows_of(flights))

    assert response.status_code == 200
    expected = registry.load("1", in_service.settings).predict_proba(flights)[:, 1].tolist()
    assert response.json() == {"version": "1", "late": expected}
    assert flights["origin"].n_unique() == 3


def test_one_flight_gets_the_same_answer_as_among_others(url: str, flights: pl.DataFrame) -> None:
    together = post(url, rows_of(flights)).json()["late"]

    alone = [post(url, [flight]).json()["late"][0] for flight in rows_of(flights.head(3))]
    assert alone == pytest.approx(together[:3], rel=0, abs=1e-12)


@pytest.mark.parametrize("column", [*NUMERIC, *CATEGORICAL])
def test_null_is_accepted_for_a_feature(url: str, flights: pl.DataFrame, column: str) -> None:
    (flight,) = rows_of(flights.head(1))

    response = post(url, [{**flight, column: None}])

    assert response.status_code == 200
    assert 0 < response.json()["late"][0] < 1


def test_flight_of_which_only_the_origin_is_known_gets_an_answer(url: str) -> None:
    response = post(url, [{**dict.fromkeys(FEATURE_COLUMNS), "origin": "EWR"}])

    assert response.status_code == 200
    assert 0 < response.json()["late"][0] < 1


def test_new_airport_gets_the_late_rate(url: str, in_service: Any, flights: pl.DataFrame) -> None:
    (flight,) = rows_of(flights.head(1))

    assert post(url, [{**flight, "origin": "SWF"}]).json()["late"] == [in_service.evaluation.late_rate]


def test_no_flights_get_no_answers(url: str) -> None:
    response = post(url, [])

    assert (response.status_code, response.json()) == (200, {"version": "1", "late": []})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda flight: [{key: value for key, value in flight.items() if key != "distance"}],
        lambda flight: [{**flight, "dep_delay": 3.0}],
        lambda flight: [{**flight, "distance": "far"}],
        lambda flight: [{**flight, "origin": None}],
        lambda flight: [{**flight, "carrier": 7}],
        lambda flight: flight,
        lambda flight: [flight, "no flight"],
        lambda flight: None,
    ],
    ids=["missing", "extra", "text", "no-origin", "number", "no-list", "no-object", "null"],
)
def test_malformed_flights_are_refused(url: str, flights: pl.DataFrame, spoil: Callable[[dict[str, Any]], Any]) -> None:
    (flight,) = rows_of(flights.head(1))

    response = post(url, spoil(flight))

    assert response.status_code == 422
    assert response.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"no json"])
def test_body_that_is_no_json_is_refused(url: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}

    assert httpx.post(f"{url}/predict", content=body, headers=headers, trust_env=False).status_code == 422


def test_app_asks_for_just_the_models_features() -> None:
    assert tuple(Flight.model_fields) == FEATURE_COLUMNS


def test_says_503_before_there_is_a_champion_and_serves_as_soon_as_there_is(
    evaluated: Evaluation,
    settings: Settings,
    flights: pl.DataFrame,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "POLL_SECONDS", 0.05)
    with serve_in_thread(create_app(settings)) as url:
        response = post(url, rows_of(flights))
        assert response.status_code == 503
        assert "no model has the alias champion" in response.json()["detail"]
        assert version_at(url) is None

        deploy(evaluated, settings)

        eventually(lambda: version_at(url) == "1")
        assert post(url, rows_of(flights)).status_code == 200


def test_follows_the_alias_and_keeps_the_old_version_if_the_new_one_does_not_load(
    evaluated: Evaluation,
    settings: Settings,
    flights: pl.DataFrame,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(serving, "POLL_SECONDS", 0.05)
    deploy(evaluated, settings)
    second, third, fourth = (add_version_like_the_first(settings) for _ in range(3))
    with serve_in_thread(create_app(settings)) as url:
        before = post(url, rows_of(flights)).json()
        registry.move_alias(registry.CHAMPION, second, settings)
        eventually(lambda: version_at(url) == "2")

        models = settings.mlflow / "artifacts"
        models.rename(models.with_suffix(".away"))
        registry.move_alias(registry.CHAMPION, third, settings)
        eventually(lambda: "version 2 stays in service" in caplog.text)
        assert post(url, rows_of(flights)).json() == {**before, "version": "2"}

        models.with_suffix(".away").rename(models)
        registry.move_alias(registry.CHAMPION, fourth, settings)
        eventually(lambda: version_at(url) == "4")


def test_app_of_another_alias_serves_that_one(evaluated: Evaluation, settings: Settings, flights: pl.DataFrame) -> None:
    deploy(evaluated, settings)
    registry.move_alias("spare", add_version_like_the_first(settings), settings)

    assert predict_once(flights, "spare", settings).version == "2"

    with pytest.raises(RuntimeError, match="503"):
        predict_once(flights, registry.PREVIOUS, settings)


def test_stopped_app_answers_no_more(in_service: Any) -> None:
    with serve_in_thread(create_app(in_service.settings)) as url:
        assert version_at(url) == "1"

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health", trust_env=False)


def test_root_leads_to_the_docs(url: str) -> None:
    response = httpx.get(url, follow_redirects=True, timeout=30, trust_env=False)

    assert (response.status_code, response.url.path) == (200, "/docs")


def test_docs_give_each_field_a_meaning_and_an_example_that_works(url: str) -> None:
    schema = httpx.get(f"{url}/openapi.json", timeout=30, trust_env=False).json()["components"]["schemas"]["Flight"]

    assert [name for name, field in schema["properties"].items() if not field.get("description")] == []
    assert post(url, schema["examples"]).status_code == 200


def command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "shared.runtime.serve", *arguments],
        cwd=ROOT, env={**os.environ, "TRIPTYCH_HOME": str(home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_command_serves_the_champion_says_where_and_ends_at_an_interrupt(
    in_service: Any, flights: pl.DataFrame
) -> None:
    with command(in_service.settings.home, "--tool", "plain") as process:
        assert process.stdout
        assert "serving version 1" in process.stdout.readline()
        line = process.stdout.readline()
        found = re.fullmatch(r"Serving version 1 of late-flights-plain: (http://127.0.0.1:\d+)/docs .*\n", line)
        assert found, line
        response = post(found[1], rows_of(flights))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)

    assert response.json()["version"] == "1"
    assert (process.returncode, rest) == (0, "\nThe app has stopped.\n")


def test_command_warns_of_a_tool_without_a_champion(settings: Settings) -> None:
    with command(settings.home, "--tool", "airflow") as process:
        assert process.stdout
        warning, serving = process.stdout.readline(), process.stdout.readline()
        process.terminate()

    assert warning.startswith("warning: airflow has no champion yet, so /predict answers with status 503; run `make")
    assert serving.startswith("Serving late-flights-airflow: http://127.0.0.1:")


def test_command_refuses_an_unknown_tool_and_a_port_that_is_taken(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        outputs = [
            command(settings.home, *arguments).communicate(timeout=60)[0]
            for arguments in (["--tool", "airflw"], ["--tool", "plain", "--port", port])
        ]

    assert outputs[0] == "error: TOOL is 'airflw', expected one of plain, airflow, prefect, dagster\n"
    assert (
        outputs[1]
        .splitlines()[-1]
        .startswith(f"error: port {port} of 127.0.0.1 can't be used (Address already in use)")
    )

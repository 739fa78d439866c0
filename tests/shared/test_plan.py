"""Stage 4: the candidates follow from the data and the settings."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import Features, File, PermanentError
from shared.lib import store, tracking
from shared.lib.months import holdout_start
from shared.settings import Settings
from shared.stages.plan import plan, trainable_origins

MONTH = "2013-04"
BARE = Features(
    month=MONTH,
    window=("2013-01", "2013-02", "2013-03"),
    file=File(name="", path="", sha256=""),
    rows=0,
    inputs={"flights/2013-03.csv": "0" * 64, "flights/2013-04.csv": "1" * 64},
    notes=(),
)
Altered = Callable[[Features, pl.DataFrame], Features]


@pytest.fixture
def altered(altered: Altered, settings: Settings) -> Altered:
    """Features with other rows in their file, made from source files of one line."""
    for name, sha256 in BARE.inputs.items():
        store.write_atomically(settings.store / store.path_of(name, sha256), b"origin,distance\nEWR,500\n")
    return altered


def window(counts: dict[str, int]) -> pl.DataFrame:
    """So many rows of March for each origin, day by day, every second one late, and one flight of April."""
    rows: list[dict[str, Any]] = [
        {"month": "2013-03", "date": date(2013, 3, 31) - timedelta(days=n % 31), "late": n % 2 == 0, "origin": origin}
        for origin, count in counts.items()
        for n in range(count)
    ]
    return pl.DataFrame([*rows, {"month": MONTH, "date": date(2013, 4, 1), "late": True, "origin": "NEW"}])


def test_one_candidate_for_each_airport_and_family(results: Any, settings: Settings, planned: Any) -> None:
    keys = [candidate.key for candidate in planned.candidates]

    assert keys == [f"{origin}/{family}" for origin in ("EWR", "JFK", "LGA") for family in settings.families]
    assert planned.features == results.features
    assert planned.experiment == settings.experiment


@pytest.mark.parametrize(("origins", "families"), [(1, 1), (9, 1), (40, 25)])
def test_fan_out_follows_the_data(altered: Altered, settings: Settings, origins: int, families: int) -> None:
    features = altered(BARE, window({f"A{n:02}": 60 for n in reversed(range(origins))}))
    settings = settings.model_copy(update={"min_rows": 60, "families": tuple(f"f{n}" for n in range(families))})

    candidates = plan(features, "test", settings).candidates

    assert [(c.origin, c.family) for c in candidates] == [
        (f"A{o:02}", f"f{f}") for o in range(origins) for f in range(families)
    ]


@given(
    counts=st.dictionaries(st.sampled_from(["EWR", "HPN", "ISP", "JFK", "LGA", "SWF"]), st.integers(32, 90)),
    min_rows=st.integers(1, 100),
)
def test_airports_with_enough_rows_are_chosen_in_order(counts: dict[str, int], min_rows: int) -> None:
    rows = window(counts).filter(pl.col("month") != MONTH)

    chosen = trainable_origins(rows, BARE, min_rows)

    assert chosen == sorted(origin for origin, count in counts.items() if count >= min_rows)


@pytest.mark.parametrize("change", [{"min_rows": 61}, {"families": ()}], ids=["rows", "families"])
def test_no_candidate_is_an_error_that_tells_the_settings(
    altered: Altered, settings: Settings, change: dict[str, Any]
) -> None:
    features = altered(BARE, window({"EWR": 60, "JFK": 59}))
    settings = settings.model_copy(update={"min_rows": 60, **change})

    with pytest.raises(PermanentError) as error:
        plan(features, "test", settings)

    for word in (MONTH, str(settings.min_rows), "60", "lower min_rows or name families"):
        assert word in str(error.value)


@pytest.mark.parametrize(("late", "words"), [(False, "no late flight"), (True, "only late flights")])
def test_airport_with_one_class_is_an_error_that_names_it(
    altered: Altered, settings: Settings, late: bool, words: str
) -> None:
    rows = window({"EWR": 200, "JFK": 200}).with_columns(late=pl.when(origin="JFK").then(late).otherwise("late"))

    with pytest.raises(PermanentError, match=f"{words} among .* from JFK in 2013-01 to 2013-03.*arr_delay"):
        plan(altered(BARE, rows), "test", settings)


def test_airport_that_opened_in_the_last_14_days_gets_no_candidate(altered: Altered, settings: Settings) -> None:
    opened = [
        {"month": "2013-03", "date": date(2013, 3, 31) - timedelta(days=n % 14), "late": n % 3 == 0, "origin": "SWF"}
        for n in range(200)
    ]
    rows = pl.concat([window({"EWR": 200}), pl.DataFrame(opened)])

    candidates = plan(altered(BARE, rows), "test", settings).candidates

    assert {candidate.origin for candidate in candidates} == {"EWR"}


def test_airport_that_closed_before_the_last_14_days_gets_no_candidate(altered: Altered, settings: Settings) -> None:
    closed = (pl.col("origin") == "JFK") & (pl.col("date") >= holdout_start(MONTH))
    rows = window({"EWR": 200, "JFK": 200}).filter(~closed)

    candidates = plan(altered(BARE, rows), "test", settings.model_copy(update={"min_rows": 50})).candidates

    assert {candidate.origin for candidate in candidates} == {"EWR"}


def test_a_second_attempt_goes_on_in_the_same_mlflow_run(altered: Altered, settings: Settings) -> None:
    features = altered(BARE, window({"EWR": 200}))

    first, second, other = (plan(features, run, settings) for run in ("one", "one", "other"))

    assert first == second
    assert other.run_id != first.run_id
    found = tracking.client(settings).search_runs([tracking.experiment_id(settings)])
    assert len(found) == 2


def test_mlflow_run_links_to_the_orchestrators_and_holds_what_was_asked(altered: Altered, settings: Settings) -> None:
    url = "http://127.0.0.1:1/runs/one"
    planned = plan(altered(BARE, window({"EWR": 200})), "one", settings, url)

    run = tracking.client(settings).get_run(planned.run_id)

    assert f"[run one of the orchestrator]({url})" in run.data.tags["mlflow.note.content"]
    assert run.data.params == {
        "window": ", ".join(BARE.window),
        "families": ", ".join(settings.families),
        "min_rows": str(settings.min_rows),
        "seed": "0",
        "source": settings.source,
    }


def test_mlflow_run_holds_month_and_source_files(altered: Altered, settings: Settings) -> None:
    planned = plan(altered(BARE, window({"EWR": 200})), "scheduled__2013-04-01T00:00:00+00:00", settings)

    run = tracking.client(settings).get_run(planned.run_id)

    assert run.data.tags["month"] == MONTH
    assert run.data.tags[tracking.ORCHESTRATOR_RUN] == "scheduled__2013-04-01T00:00:00+00:00"
    inputs = run.inputs.dataset_inputs
    found = {file.dataset.name: (file.dataset.digest, {tag.key: tag.value for tag in file.tags}) for file in inputs}
    assert found == {
        "flights/2013-03.csv": ("0" * 36, {"mlflow.data.context": "training", "sha256": "0" * 64}),
        "flights/2013-04.csv": ("1" * 36, {"mlflow.data.context": "evaluation", "sha256": "1" * 64}),
    }

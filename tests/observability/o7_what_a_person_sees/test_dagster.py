"""Dagster shows the metadata of an asset, a table or Markdown with a picture, in the run's events and on the asset."""

import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.candidates import FIRST, PLOT, SCORES, Row, fit, leaderboard
from tests.live.dagster import FORKSERVER, Engine
from tests.pages import seen
from tests.pages.browser import page
from tests.scenario import Scenario


class Go(dg.Config):
    go: str


@dg.op(out=dg.DynamicOut())
def candidates(config: Go) -> Iterator[dg.DynamicOutput[tuple[str, str]]]:
    for name in SCORES:
        yield dg.DynamicOutput((name, config.go), mapping_key=name)


@dg.op
def train(candidate: tuple[str, str]) -> Row:
    return fit(*candidate)


@dg.op
def show(rows: list[Row]) -> dg.Output[list[Row]]:
    table = dg.MetadataValue.table([dg.TableRecord(row) for row in leaderboard(rows)])
    return dg.Output(
        rows, metadata={"leaderboard": table, "calibration": dg.MetadataValue.md(f"![calibration]({PLOT})")}
    )


@dg.graph_asset
def o7_leaderboard() -> list[Row]:
    return show(candidates().map(train).collect())


LIVE = dg.Definitions(
    assets=[o7_leaderboard],
    jobs=[
        dg.define_asset_job(
            "o7_obvious", [o7_leaderboard], executor_def=dg.multiprocess_executor.configured(FORKSERVER)
        )
    ],
)


@pytest.mark.live
def test_o7_what_a_person_sees(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    go = tmp_path / "go"
    run_id = live.start("o7_obvious", {"ops": {"o7_leaderboard": {"ops": {"candidates": {"config": {"go": str(go)}}}}}})
    with page(tmp_path) as shown:

        def lists() -> list[str]:
            """The lists of steps by state, beside their diagram."""
            return re.findall(r"(?:Executing|Succeeded) \(\d+\)[^()]*", shown.locator("body").inner_text())

        def steps() -> list[str]:
            if not any(text.startswith("Succeeded") and FIRST in text for text in lists()):
                shown.get_by_text("Succeeded (").click()  # which opens the list; the page may close it when it begins
            return lists()

        shown.goto(f"{live.url}/runs/{run_id}")
        told, says = seen.progress(steps, "Succeeded", "Executing")
        go.touch()
        success = live.wait(run_id).is_success
        shown.reload()
        asset, markdown = shown.get_by_role("link", name="View Asset").last, shown.get_by_text("[Show Markdown]")
        asset.wait_for()  # it stands above the table, among the run's events
        table_at, table = seen.click({}), seen.table(shown)
        to_asset = seen.click({"View Asset": asset})
        shown.get_by_text("Latest materialization", exact=True).wait_for()
        plot_at = f"{to_asset} › {seen.click({'[Show Markdown]': markdown})}"
        plot = seen.plot(shown)
    scenario.obvious(
        o7_leaderboard.node_def,
        candidates,
        train,
        show,
        success=success,
        table=table,
        plot=plot,
        progress=told,
        table_at=table_at,
        plot_at=plot_at,
        progress_says=says,
    )
    scenario.finding(
        f"A table in the metadata of an asset is drawn among the run's events, and on the asset's page; a plot goes "
        f"into Markdown, and is drawn after a click: {plot_at}. The run's page lists the steps by state; those of a "
        f"fan-out appear in it when they begin."
    )

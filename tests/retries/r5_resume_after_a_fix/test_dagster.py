"""Dagster: "re-execute from failure" is a new run of the failed step and what follows it, with the newest code."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from shared.settings import ROOT
from tests.live.dagster import attempts, started
from tests.scenario import Scenario

ORIGINS = ("EWR", "JFK", "LGA")


@dg.op(out=dg.DynamicOut())
def origins() -> Iterator[dg.DynamicOutput[str]]:
    for origin in ORIGINS:
        yield dg.DynamicOutput(origin, mapping_key=origin)


@dg.op
def read(context: dg.OpExecutionContext, origin: str) -> int:
    text = Path(context.run.tags["folder"], origin).read_text()
    return int(text)


@dg.op
def gather(context: dg.OpExecutionContext, numbers: list[int]) -> None:
    context.add_output_metadata({"sum": sum(numbers)})


@dg.job(executor_def=dg.in_process_executor)
def r5_obvious() -> None:
    gather(origins().map(read).collect())


LIVE = dg.Definitions(jobs=[r5_obvious])


@pytest.mark.live
@pytest.mark.own_engine
def test_r5_resume_after_a_fix(tmp_path: Path, scenario: Scenario) -> None:
    code, data, text = tmp_path / "r5_code.py", tmp_path / "data", Path(__file__).read_text()
    code.write_text(text)
    data.mkdir()
    for origin in ("EWR", "LGA"):
        (data / origin).write_text("1")
    with started(tmp_path / "engine", {"PYTHONPATH": str(ROOT)}, {"r5_code": tmp_path}) as live:

        def start() -> str:
            return live.launch("r5_code", "__repository__", "r5_obvious", {}, {"folder": str(data)})

        def total(run_id: str) -> object:
            (event,) = live.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_OUTPUT)[-1:]
            return event.dagster_event.step_output_data.metadata["sum"].value

        failed = live.wait(start())
        assert failed.status == dg.DagsterRunStatus.FAILURE
        (data / "JFK").write_text("2")
        resumed = live.wait(live.reexecute(failed.run_id))
        first, again = (attempts(live.instance, run.run_id) for run in (failed, resumed))
        assert first.keys() == {"origins", *(f"read[{origin}]" for origin in ORIGINS)}
        assert total(resumed.run_id) == 4

        (data / "JFK").write_text("1,024")
        no_number = live.wait(start())
        assert no_number.status == dg.DagsterRunStatus.FAILURE
        code.write_text(text.replace("return int(text)", 'return int(text.replace(",", ""))'))
        mended = live.wait(live.reexecute(no_number.run_id))
        tried = Counter(first) + Counter(again)
        scenario.obvious(
            origins, read, gather, r5_obvious,
            success=resumed.is_success,
            finished_reused=tried["read[EWR]"] == tried["read[LGA]"] == 1,
            failed_runs_again=again == {"read[JFK]": 1, "gather": 1},
            run_succeeds=resumed.is_success,
            new_code_used=mended.is_success and total(mended.run_id) == 1026,
            attempts=dict(tried),
            resume="re-execution from failure",
            record="a new run" if resumed.parent_run_id == failed.run_id != resumed.run_id else "the same run",
        )  # fmt: skip
    scenario.finding(
        f"Re-execution from failure starts a new run of {len(again)} steps ({', '.join(again)}), which reads the "
        "results of the others from the first run. After a mend of the code it needs no reload of the code location, "
        f"as the new run's process imports the code anew: it ended as {mended.status.value}."
    )

"""`python -m prefect_impl.run 2013-06`: runs the flow in this process, and records what Prefect knows of the run."""

import logging
from importlib import import_module
from threading import Thread

from shared import cli
from shared.records import RunRecord
from shared.settings import Settings


def run(month: str, settings: Settings) -> RunRecord:
    """Run the flow for one month; the first call starts Prefect's server, which the next ones find running."""
    # Prefect and the stages load for seconds: not before the command line is known to be good, and side by side.
    stages = Thread(target=import_module, args=["shared.plain"])
    stages.start()
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    from prefect_impl import report, server

    server.ensure()
    stages.join()
    from prefect_impl.pipeline import late_flights

    for terminal in logging.getLogger().handlers:
        terminal.addFilter(without_tracebacks)

    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: settings.store / "results"}):
        asked = settings.model_dump(include={"source", "min_rows", "families", "seed"})
        state = late_flights(month, **asked, return_state=True)
        return report.record_of(state.state_details.flow_run_id)


def without_tracebacks(record: logging.LogRecord) -> bool:
    """Lets pass what the terminal shows: a run's traceback is in Prefect's logs, its message follows in one line."""
    return not (record.exc_info and record.name in ("prefect.flow_runs", "prefect.task_runs"))


if __name__ == "__main__":
    cli.main("prefect", run)

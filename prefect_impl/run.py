"""`python -m prefect_impl.run 2013-06`: runs the flow in this process, and records what Prefect knows of the run."""

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

import logging
import re
from importlib import import_module
from threading import Thread

from shared.runtime import cli, running
from shared.runtime.records import RunRecord
from shared.settings import Settings

OF_HOOKS = re.compile(r"^(Running h|H)ook ")
ENDED_BADLY = re.compile(r"^(Finished in state (Failed|Crashed))\(.*", re.DOTALL)


def run(month: str, settings: Settings) -> RunRecord:
    """Run the flow for one month, on the server of the UI if that is up."""
    load()
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    from prefect_impl import hooks, report
    from prefect_impl.pipeline import late_flights

    hooks.end_abandoned(settings)
    asked = settings.model_dump(include={"source", "min_rows", "families", "seed"})
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: settings.store / "results"}):
        with get_client(sync_client=True) as api:
            flow_run = api.create_flow_run(late_flights, parameters={"month": month, **asked})
        with running.claimed(str(flow_run.id), settings):
            try:
                run_flow(late_flights, flow_run=flow_run, return_type="state")
            except KeyboardInterrupt:
                hooks.cancel(flow_run, settings)
        return report.record_of(flow_run.id)


def load() -> None:
    """Load Prefect and the stages, side by side, and find or start the server: seconds in which nothing is begun."""
    if __name__ == "__main__":
        interrupt.while_loading()
    stages = Thread(target=import_module, args=["shared.plain"])
    stages.start()
    from prefect_impl import server

    server.ensure()
    stages.join()
    import_module("prefect_impl.pipeline")
    for terminal in logging.getLogger().handlers:
        terminal.addFilter(tell_once)
    if __name__ == "__main__":
        interrupt.while_waiting()


def tell_once(record: logging.LogRecord) -> bool:
    """Lets pass what the terminal shows: no traceback, no word of an interrupt, and an error only where it belongs.

    What sinks the run stands in the summary, what sinks a candidate in the candidate's line.
    """
    said = record.getMessage()
    if interrupt.noticed.is_set() or record.exc_info or OF_HOOKS.match(said):
        return "- Retry " in said
    if getattr(record, "task_name", "") != "train":
        record.msg, record.args = ENDED_BADLY.sub(r"\1", said), ()
    return True


if __name__ == "__main__":
    cli.main("prefect", run)

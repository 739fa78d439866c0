"""A failed run in Prefect: the server answers the event of the stage's failure."""

from prefect_impl import HOME
from prefect_impl.alert import ensure_alerts
from prefect_impl.home import ensure_server, pages_of
from prefect_impl.run import run
from shared.runtime import servers
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.live import prefect


def fail(month: str, settings: Settings) -> tuple[RunRecord, str]:
    """The record of a run that fails, and the page of its stage."""
    ensure_server()
    ensure_alerts()
    ensure_alerts()  # changes nothing
    record = run(month, settings)
    ingest = prefect.task_run("ingest", record.run_id)
    return record, f"{pages_of(servers.url_of('prefect', HOME.parent))}/runs/task-run/{ingest.id}"

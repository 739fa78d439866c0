"""`python -m prefect_impl.run 2013-06`: runs the flow in this process, and records what Prefect knows of the run."""

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from importlib import import_module
from threading import Thread

from shared.runtime import cli, running
from shared.runtime.records import RunRecord
from shared.settings import Settings


def run(month: str, settings: Settings) -> RunRecord:
    """Run the flow for one month, on the server of the UI if that is up."""
    load()
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    from prefect_impl import hooks, openlineage_events
    from prefect_impl.pipeline import late_flights
    from prefect_impl.record import record_of

    hooks.end_abandoned(settings)
    parameters = {"month": month, **settings.model_dump(include={"source", "min_rows", "families", "seed"})}
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: settings.store / "results"}):
        # `late_flights(month)` would do as well, but its run would get an id only after it has begun.
        with get_client(sync_client=True) as api:
            flow_run = api.create_flow_run(late_flights, parameters=parameters)
        with running.claimed(str(flow_run.id), settings):
            try:
                run_flow(late_flights, flow_run=flow_run, return_type="state")
            except KeyboardInterrupt:
                hooks.cancel(flow_run, settings)
        record = record_of(flow_run.id)
        openlineage_events.report(flow_run.id)
        return record


def load() -> None:
    """Load Prefect and the stages, side by side, and find or start the server: seconds in which nothing is begun."""
    if __name__ == "__main__":
        interrupt.while_loading()
    stages = Thread(target=import_module, args=["shared.plain"])
    stages.start()
    from prefect_impl import home, progress

    home.ensure_server()
    stages.join()
    import_module("prefect_impl.pipeline")
    progress.filter_terminal()
    if __name__ == "__main__":
        interrupt.while_waiting()


if __name__ == "__main__":
    cli.main("prefect", run)

"""`make cluster TOOL=dagster`: webserver and daemon on PostgreSQL, steps on the Celery workers of several machines."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from dagster_graphql import DagsterGraphQLClient

from dagster_impl.home import CONFIG
from shared.runtime import servers
from shared.runtime.cluster import Engine, Machine, main
from shared.runtime.postgres import new_database
from shared.runtime.valkey import valkey
from shared.settings import Settings

STORAGE = """
storage:
  postgres:
    postgres_url:
      env: DAGSTER_POSTGRES_URL
"""


@contextmanager
def running(control: Machine, workers: list[Machine], module: str = "dagster_impl.on_celery") -> Iterator[Engine]:
    """Run webserver and daemon with what the module defines on the first machine, a Celery worker on the others."""
    with ExitStack() as stack:
        broker = stack.enter_context(valkey(control.folder / "valkey"))
        database = new_database(control.env["TRIPTYCH_LOCKS"], "dagster")
        for machine in (control, *workers):
            home = machine.folder / "dagster"
            home.mkdir()
            (home / "dagster.yaml").write_text(CONFIG.read_text("utf-8") + STORAGE, "utf-8")
            machine.env.update(DAGSTER_HOME=str(home), DAGSTER_POSTGRES_URL=database, CELERY_BROKER_URL=broker)
        port = servers.free_port()
        url = f"http://127.0.0.1:{port}"
        serve = [sys.executable, "-m", "dagster", "dev", "-m", module]
        serve += ["--host", "127.0.0.1", "--port", str(port)]
        stack.enter_context(servers.server(serve, f"{url}/server_info", control.folder / "dagster.log", control.env))
        for machine in workers:
            stack.enter_context(celery_worker(machine, broker))
        yield Engine(url, partial(start, port))


@contextmanager
def celery_worker(machine: Machine, broker: str) -> Iterator[None]:
    """One that executes one step at a time."""
    command = [sys.executable, "-m", "celery", "-A", "dagster_celery.app", "-b", broker, "--result-backend", broker]
    command += ["worker", "--hostname", f"celery@{machine.name}", "--concurrency", "1", "--prefetch-multiplier", "1"]
    log = machine.folder / "worker.log"
    with servers.background([*command, "--loglevel", "info"], log, machine.env) as process:
        servers.wait_until(lambda: b"ready." in log.read_bytes(), process, f"celery@{machine.name}", log)
        yield


def start(port: int, month: str, settings: Settings) -> None:
    """Ask the webserver for a run of the month, as a script of anybody's would."""
    config = {"resources": {"settings": {"config": settings.model_dump(mode="json", exclude={"tool", "home"})}}}
    client = DagsterGraphQLClient("127.0.0.1", port_number=port)
    client.submit_job_execution("retrain_on_celery", run_config=config, tags={"dagster/partition": month})


if __name__ == "__main__":
    main("dagster", running)

"""`make cluster TOOL=airflow`: Airflow's servers on PostgreSQL, tasks on the Celery workers of several machines."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import httpx

from airflow_impl import ui
from shared.runtime import servers
from shared.runtime.cluster import Engine, Machine, main
from shared.runtime.postgres import new_database
from shared.runtime.valkey import valkey
from shared.settings import Settings

# It does what `airflow db migrate`, `airflow pools set` and `airflow dags reserialize` do.
PREPARE = "python -c 'from airflow_impl import home; home.prepare()' && exec airflow api-server"

# A worker itself would serve its tasks' logs on all interfaces; here the same app does so on the machine's address.
WORKER = """
mkdir -p "$AIRFLOW_HOME/logs"
uvicorn --factory airflow.utils.serve_logs.log_server:get_app \
    --host $ADDRESS --port $AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT &
exec airflow celery worker --celery-hostname $NAME --skip-serve-logs
"""


def variables(url: str, port: int, database: str, broker: str) -> dict[str, str]:
    """Airflow's settings on all machines: those of a single one, and what differs."""
    return {
        **ui.variables(url, port),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,  # also Celery's result backend, as none is set
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
        # Airflow's defaults again: the scheduler looks less often, and hands out more at a time.
        "AIRFLOW__CORE__PARALLELISM": "32",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        # By these the API server gets a task's log from its worker.
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "airflow_impl.cluster.address",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(servers.free_port()),
    }


def address() -> str:
    """The host name of this machine: an address of its own, at which all have the same port for logs."""
    return os.environ["ADDRESS"]


@contextmanager
def running(control: Machine, workers: list[Machine]) -> Iterator[Engine]:
    """Run API server, scheduler and Dag processor on the first machine, and a Celery worker on each of the others."""
    port = servers.port_for("airflow", control.folder)
    url = servers.url_of("airflow", control.folder)
    database = new_database(control.env["TRIPTYCH_LOCKS"], "airflow")
    with ExitStack() as stack:
        broker = stack.enter_context(valkey(control.folder / "valkey"))
        settings = variables(url, port, database, broker)
        for number, machine in enumerate([control, *workers], start=1):
            own = {"AIRFLOW_HOME": str(machine.folder / "airflow"), "NAME": machine.name}
            machine.env.update(settings, **own, ADDRESS=f"127.0.0.{number}")
        health, log = f"{url}/api/v2/monitor/health", control.folder / "api-server.log"
        stack.enter_context(servers.server(["sh", "-c", PREPARE], health, log, control.env))
        for name, *options in (["dag-processor"], ["scheduler", "--skip-serve-logs"]):
            log = control.folder / f"{name}.log"
            stack.enter_context(servers.background(["airflow", name, *options], log, control.env))
        for machine in workers:
            stack.enter_context(celery_worker(machine))
        yield Engine(f"{url}/dags/late_flights", partial(start, url))


@contextmanager
def celery_worker(machine: Machine) -> Iterator[None]:
    """One that executes one task at a time."""
    name, log = f"celery@{machine.name}", machine.folder / "worker.log"
    with servers.background(["sh", "-c", WORKER], log, machine.env) as process:
        servers.wait_until(lambda: f"{name} ready.".encode() in log.read_bytes(), process, name, log)
        yield


def start(url: str, month: str, settings: Settings) -> None:
    """Trigger a run over the REST API, as the form in the UI does."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as api:
        token = api.get("/auth/token").raise_for_status().json()["access_token"]
        conf = settings.model_dump(mode="json", exclude={"tool", "home"}) | {"month": month}
        answer = api.post(
            "/api/v2/dags/late_flights/dagRuns",
            json={"logical_date": None, "conf": conf},
            headers={"Authorization": f"Bearer {token}"},
        )
        answer.raise_for_status()


if __name__ == "__main__":
    main("airflow", running)

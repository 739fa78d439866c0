"""`make cluster TOOL=prefect`: a server on PostgreSQL, and machines that start runs and work for a Dask cluster."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.filesystems import RemoteFileSystem
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_impl.automation import ensure_automation
from prefect_impl.home import pages_of
from prefect_impl.serve import POOL, PREFECT
from shared.runtime import servers
from shared.runtime.cluster import BUCKET, Engine, Machine, main
from shared.runtime.postgres import new_database
from shared.settings import ROOT, Settings

DASK = [sys.executable, "-m", "dask"]
NAME = "monthly-retraining"
RESULTS_BLOCK = "late-flights"


@contextmanager
def running(control: Machine, workers: list[Machine]) -> Iterator[Engine]:
    """Run Prefect's server and Dask's scheduler on the first machine, a worker of each on the others."""
    with ExitStack() as stack:
        url = stack.enter_context(server(control))
        dask = stack.enter_context(scheduler(control))
        for machine in (control, *workers):
            home = str(machine.folder / "prefect")
            machine.env.update(PREFECT_API_URL=f"{url}/api", PREFECT_HOME=home, DASK_SCHEDULER=dask)
        stack.enter_context(temporary_settings({PREFECT_API_URL: f"{url}/api"}))
        deploy(control)
        for machine in workers:
            stack.enter_context(dask_worker(machine))
            stack.enter_context(worker(machine))
        yield Engine(pages_of(url), start)


@contextmanager
def server(control: Machine) -> Iterator[str]:
    database = new_database(control.env["TRIPTYCH_LOCKS"], "prefect").replace("postgresql://", "postgresql+asyncpg://")
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"PREFECT_API_DATABASE_CONNECTION_URL": database, "PREFECT_SERVER_UI_API_URL": f"{url}/api"}
    command = [sys.executable, "-m", "prefect_impl.pages", str(port)]
    with servers.server(command, f"{url}/api/health", control.folder / "server.log", control.env | env):
        yield url


@contextmanager
def scheduler(control: Machine, port: int | None = None) -> Iterator[str]:
    port, dashboard = port or servers.free_port(), servers.free_port()
    command = [*DASK, "scheduler", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dashboard-address", f"127.0.0.1:{dashboard}"]
    log = control.folder / "dask.log"
    with servers.server(command, f"http://127.0.0.1:{dashboard}/health", log, control.env):
        yield f"tcp://127.0.0.1:{port}"


@contextmanager
def dask_worker(machine: Machine) -> Iterator[None]:
    """One that trains one candidate at a time, with the flow loaded before the first one comes."""
    dashboard = servers.free_port()
    command = [*DASK, "worker", machine.env["DASK_SCHEDULER"], "--name", machine.name, "--host", "127.0.0.1"]
    command += ["--nthreads", "1", "--local-directory", str(machine.folder), "--preload", "prefect_impl.pipeline"]
    command += ["--dashboard-address", f"127.0.0.1:{dashboard}"]
    with servers.server(command, f"http://127.0.0.1:{dashboard}/health", machine.folder / "dask.log", machine.env):
        yield


@contextmanager
def worker(machine: Machine) -> Iterator[None]:
    """One of the work pool, which starts flow runs."""
    port = servers.free_port()
    env = {"PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": str(port)}
    env |= {"PREFECT_WORKER_QUERY_SECONDS": "2"}
    command = [*PREFECT, "worker", "start", "--pool", POOL, "--name", machine.name, "--with-healthcheck"]
    log = machine.folder / "worker.log"
    with servers.server(command, f"http://127.0.0.1:{port}/health", log, machine.env | env):
        yield


def deploy(control: Machine) -> None:
    """Deploy the flow of on_dask.py to the work pool."""
    with get_client(sync_client=True) as api, suppress(ObjectAlreadyExists):
        api.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    RemoteFileSystem(basepath=f"s3://{BUCKET}/results").save(RESULTS_BLOCK, overwrite=True)
    ensure_automation()
    entrypoint = ["prefect_impl/on_dask.py:late_flights", "--name", NAME, "--pool", POOL]
    log = control.folder / "deploy.log"
    with log.open("wb") as output:
        env = {**os.environ, **control.env}
        done = subprocess.run([*PREFECT, "deploy", *entrypoint], cwd=ROOT, env=env, stdout=output, stderr=output)
    if done.returncode:
        raise RuntimeError(f"prefect deploy ended with exit code {done.returncode}; see {log}")


def start(month: str, settings: Settings) -> None:
    """Ask the deployment for a run, as a script of anybody's would."""
    parameters = {
        "month": month,
        **settings.model_dump(mode="json", include={"source", "min_rows", "families", "seed"}),
    }
    run_deployment(f"late-flights/{NAME}", parameters=parameters, timeout=0)


if __name__ == "__main__":
    main("prefect", running)

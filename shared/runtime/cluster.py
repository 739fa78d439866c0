"""`make cluster`: a tool's distributed engine on this machine as if on several.

Each machine has a home, a cache and process groups of its own. What they share are servers, from wheels: PostgreSQL,
S3, and MLflow's on these two.
"""

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from shared.contracts import PermanentError
from shared.lib.months import months_up_to
from shared.runtime import cli, interrupt, records, servers
from shared.runtime.postgres import new_database, postgres
from shared.runtime.records import RunRecord
from shared.settings import Settings, default_home

BUCKET = "triptych"


class Machine(NamedTuple):
    """A folder for all that one machine keeps, and the variables for its processes."""

    name: str
    folder: Path
    env: dict[str, str]


class Engine(NamedTuple):
    """A tool's engine that runs: the address of its UI, and what asks it for a run."""

    url: str
    start: Callable[[str, Settings], None]


Running = Callable[[Machine, list[Machine]], AbstractContextManager[Engine]]
"""Runs the tool's servers on the first machine and its workers on the others, until the block ends."""


def main(tool: str, running: Running) -> None:
    """Run the cluster until Ctrl-C, in a home that is emptied first; with a month, run that on it."""
    parser = argparse.ArgumentParser(description=f"Run {tool} on several machines.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--month", default="")
    asked = parser.parse_args()
    interrupt.while_waiting()
    folder = default_home() / "cluster" / tool
    try:
        if asked.month:
            months_up_to(asked.month)
        shutil.rmtree(folder, ignore_errors=True)
        with cluster(folder, asked.workers, running) as (engine, machines):
            print(f"{tool}: {engine.url}   (Ctrl-C stops all of it)", flush=True)
            for name in ("MLFLOW_TRACKING_URI", "AWS_ENDPOINT_URL", "TRIPTYCH_LOCKS"):
                print(f"  {name}={machines[0].env[name]}")
            print("\n".join(f"  {machine.name}: {machine.folder}" for machine in machines), flush=True)
            if asked.month:
                engine.start(asked.month, Settings(tool=tool))
                record, path = finished(asked.month, tool, machines)
                print(cli.summary(record, path), flush=True)
            signal.pause()  # until Ctrl-C
    except KeyboardInterrupt:
        interrupt.end("the cluster has stopped")
    except (PermanentError, RuntimeError) as error:
        sys.exit(f"error: {error}")


@contextmanager
def cluster(folder: Path, workers: int, running: Running) -> Iterator[tuple[Engine, list[Machine]]]:
    """Run the shared servers and the engine, with everything in the folder; the first machine has no worker."""
    with shared_servers(folder / "shared") as shared:
        names = ["control", *(f"worker-{number + 1}" for number in range(workers))]
        machines = [Machine(name, folder / name, {**shared, "TRIPTYCH_HOME": str(folder / name)}) for name in names]
        for machine in machines:
            machine.folder.mkdir()
        with running(machines[0], machines[1:]) as engine:
            yield engine, machines


def finished(month: str, tool: str, machines: list[Machine]) -> tuple[RunRecord, Path]:
    """Wait for the record of a run, on whichever machine the tool writes it; the record, and where it is."""
    while True:
        for machine in machines:
            path = records.path_of(tool, month, machine.folder)
            if path.exists():
                return records.read(tool, month, machine.folder), path
        time.sleep(0.5)


@contextmanager
def shared_servers(folder: Path) -> Iterator[dict[str, str]]:
    """Run them, with their files in the folder, until the block ends; yields the variables that lead there."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        database = stack.enter_context(postgres(folder / "postgres"))
        s3 = stack.enter_context(s3_server(folder / "s3.log"))
        env = {**s3_variables(s3), "TRIPTYCH_STORE": f"s3://{BUCKET}/store", "TRIPTYCH_LOCKS": database}
        mlflow = stack.enter_context(mlflow_server(new_database(database, "mlflow"), folder / "mlflow.log", env))
        yield {**env, "MLFLOW_TRACKING_URI": mlflow}


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """An S3 server that keeps everything in memory, with one bucket; yields its URL."""
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with servers.server(command, f"{url}/moto-api/data.json", log):
        httpx.put(f"{url}/{BUCKET}", trust_env=False).raise_for_status()
        yield url


def s3_variables(url: str) -> dict[str, str]:
    """What leads any client of S3 to the server."""
    login = {"AWS_ACCESS_KEY_ID": "triptych", "AWS_SECRET_ACCESS_KEY": "triptych"}
    return {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", **login}


@contextmanager
def mlflow_server(database: str, log: Path, env: Mapping[str, str]) -> Iterator[str]:
    """MLflow's server on PostgreSQL, with the artifacts on S3; yields its URL."""
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database.replace("postgresql://", "postgresql+psycopg://")]
    command += ["--artifacts-destination", f"s3://{BUCKET}/mlflow"]
    with servers.server(command, f"{url}/health", log, {**env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}):
        yield url

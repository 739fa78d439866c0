"""Airflow's web UI with the pipeline in it, and all that runs it: `python -m airflow_impl.ui`."""

import os
import secrets
import sys
from pathlib import Path

from airflow_impl import home
from shared.runtime import interrupt, servers
from shared.settings import Settings

# What `airflow standalone` starts too, but its log servers would listen on all interfaces.
COMPONENTS = (
    "airflow dag-processor",
    "airflow triggerer --skip-serve-logs",
    "airflow scheduler --skip-serve-logs",
    "exec airflow api-server",
)


def variables(url: str, port: int) -> dict[str, str]:
    """Tasks in processes of this machine, an API server on 127.0.0.1, and nobody has to log in."""
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__ENABLE_SWAGGER_UI": "False",  # its scripts would come from elsewhere
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",  # a busy machine takes longer than 5 s, which fails a task
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # by its heartbeat a task learns that it is to be stopped
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }


def main() -> None:
    print("Airflow is loading …", flush=True)
    from airflow_impl import stop

    home.prepare()
    settings = Settings(tool="airflow")
    with home.reserved(for_scheduler=True) as free:
        if not free:
            sys.exit("error: Airflow is at work on this home already, in a run or another UI; wait for it, or end it")
        stop.end_abandoned(settings)
        port = servers.port_for("airflow", settings.home)
        url = servers.url_of("airflow", settings.home)
        servers.show(
            "Airflow",
            f"{url}/dags/late_flights",
            ["sh", "-c", " & ".join(COMPONENTS)],
            f"{url}/api/v2/monitor/health",
            home.folder() / "logs" / "ui.log",
            variables(url, port),
        )


if __name__ == "__main__":
    interrupt.while_loading()
    main()

"""MLflow's web UI over the runs and models of all tools."""

import shlex
import sys

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from shared.lib import tracking
from shared.runtime import servers
from shared.runtime.records import TOOLS
from shared.settings import Settings


def main() -> None:
    settings = Settings()
    if settings.mlflow_server:
        sys.exit(f"error: MLflow's pages are at {settings.mlflow_server}, as MLFLOW_TRACKING_URI says; open them there")
    port = servers.port_for("mlflow", settings.home)
    url = servers.url_of("mlflow", settings.home)
    experiments = {f"runs of {tool}": experiment_of(Settings(tool=tool)) for tool in TOOLS}
    pages = {name: tracking.page(f"experiments/{id_}/runs", settings) for name, id_ in experiments.items() if id_}
    pages["models"] = tracking.page("models", settings)
    storage = ["--backend-store-uri", settings.tracking_uri]
    storage += ["--default-artifact-root", (settings.mlflow / "artifacts").as_uri()]
    listen = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # An experiment without traces would show a film from MLflow's own host.
    listen += ["--uvicorn-opts", shlex.join(["--header", f"Content-Security-Policy:{servers.ASK_HERE_ONLY}"])]
    # MLflow's job execution would start seven processes that nothing here needs.
    env = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "server", *listen, *storage]
    servers.show("MLflow", url, command, f"{url}/health", settings.mlflow / "ui.log", env, pages)


def experiment_of(settings: Settings) -> str | None:
    """The id of the tool's experiment, if there is one yet."""
    experiment = tracking.client(settings).get_experiment_by_name(settings.experiment)
    return str(experiment.experiment_id) if experiment else None


if __name__ == "__main__":
    main()

"""MLflow's web UI over the runs and models of all tools."""

import sys

from shared import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from shared import servers, tracking
from shared.settings import Settings


def main() -> None:
    settings = Settings()
    port = servers.port_for("mlflow", settings.home)
    tracking.client(settings)
    url = servers.url_of("mlflow", settings.home)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *(
            "--backend-store-uri",
            settings.tracking_uri,
            "--default-artifact-root",
            (settings.mlflow / "artifacts").as_uri(),
        ),
    ]
    # Its job execution would start seven processes that nothing here needs.
    env = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    servers.show(
        "MLflow", tracking.page("experiments", settings), command, f"{url}/health", settings.mlflow / "ui.log", env
    )


if __name__ == "__main__":
    main()

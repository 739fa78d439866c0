"""The pipeline in Prefect. Its settings are made here, as Prefect reads them once, when it is first imported."""

import logging
import os

from shared.runtime.home import default_home

HOME = default_home() / "prefect"
HOME.mkdir(parents=True, exist_ok=True)

os.environ |= {
    "PREFECT_HOME": str(HOME),
    "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(default_home() / "store" / "prefect" / "results"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLI_PROMPT": "false",
    # The stages' log lines become log lines of their task runs.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "shared,triptych",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
for name in ("shared", "triptych"):
    logging.getLogger(name).setLevel(logging.INFO)

"""Triptych's plugin: what Airflow loads into each of its processes beside the Dag."""

from airflow.plugins_manager import AirflowPlugin

from airflow_impl import hooks, metrics, pages
from shared.runtime import servers
from shared.runtime.home import default_home
from shared.settings import Settings


class Triptych(AirflowPlugin):
    name = "triptych"
    listeners = [hooks]  # noqa: RUF012
    global_operator_extra_links = [pages.MLflow()]  # noqa: RUF012
    fastapi_apps = [  # noqa: RUF012
        {"name": "Triptych", "app": pages.app, "url_prefix": pages.PREFIX},
        {"name": "Metrics", "app": metrics.app, "url_prefix": metrics.PREFIX},
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Report",
            "href": f"{pages.PREFIX}/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "report",
        },
        {
            "name": "MLflow",
            "href": Settings(tool="airflow").mlflow_server or servers.url_of("mlflow", default_home()),
            "destination": "nav",
            "category": "browse",
        },
    ]

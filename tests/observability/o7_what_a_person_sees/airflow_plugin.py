"""The plugin that a page of one's own takes in Airflow: loaded by the tests' API server beside the product's."""

from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI()


@app.get("/{run_id}", response_class=HTMLResponse)
def results_page(run_id: str) -> str:
    """The page that the run's task has pushed, or an empty one until then."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        pushed = session.scalars(XComModel.get_many(run_id=run_id, dag_ids="o7_idiom", task_ids="show"))
        return "".join(XComModel.deserialize_value(entry) for entry in pushed)


class Results(AirflowPlugin):
    name = "o7"
    fastapi_apps = [{"name": "o7", "app": app, "url_prefix": "/o7"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {"name": "Results", "href": "/o7/{RUN_ID}", "destination": "dag_run", "url_route": "results"}
    ]

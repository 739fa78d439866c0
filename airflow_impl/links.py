"""Links between the pages of Airflow and those of MLflow."""

from urllib.parse import quote

from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.sdk import BaseOperatorLink

from shared.contracts import Deployment
from shared.runtime import servers
from shared.runtime.home import default_home
from shared.settings import Settings


def page_of_run(run_id: str) -> str:
    """The run's page in Airflow's UI, when that is up."""
    return f"{servers.url_of('airflow', default_home())}/dags/late_flights/runs/{quote(run_id, safe='')}"


class MLflow(BaseOperatorLink):
    """A button on a task's page: the task's run in MLflow, or the version that it has put in service."""

    name = "MLflow"
    operators = (_PythonDecoratedOperator,)

    def get_link(self, operator: object, *, ti_key: object) -> str:
        from airflow.models.xcom import XComModel
        from airflow.sdk.serde import deserialize
        from airflow.utils.session import create_session

        from shared.lib import registry, tracking

        query = XComModel.get_many(
            run_id=ti_key.run_id, dag_ids=ti_key.dag_id, task_ids=ti_key.task_id, map_indexes=ti_key.map_index,
            key="return_value", limit=1,
        )  # fmt: skip
        with create_session() as session:
            found = session.scalar(query)
            result = deserialize(found.value) if found else None
        settings = Settings(tool="airflow")
        if isinstance(result, Deployment):
            return registry.version_url(result.version, settings)
        return tracking.run_url(result.run_id, settings) if hasattr(result, "run_id") else ""

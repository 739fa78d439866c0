"""Airflow's fan-out of tasks that do nothing, run by `dag.test()` as `airflow_impl.run` runs the pipeline."""

import os
from pathlib import Path

from airflow_impl import home
from shared.settings import default_home

if __name__ == "__main__":  # before Airflow is imported: a database of its own, with this Dag only
    os.environ["TRIPTYCH_HOME"] = str(default_home() / "fan_out")
    home.apply(dags=Path(__file__))

from airflow.sdk import dag, task

from bench import fan_out


@dag(schedule=None, params={"width": 1})
def wide() -> None:
    """As many mapped tasks as the run's parameter says."""

    @task
    def plan(params: dict[str, int] | None = None) -> list[int]:
        return list(range(params["width"]))

    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers[:])

    total(task(fan_out.no_op).expand(number=plan()))


wide_dag = wide()


def run(width: int) -> int:
    return wide_dag.test(run_conf={"width": width}).get_task_instance("total").xcom_pull("total")


if __name__ == "__main__":
    home.prepare()
    fan_out.main(run)

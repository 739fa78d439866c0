"""Airflow's floor: a Dag of the pipeline's shape whose tasks do nothing, run as `airflow_impl.run` runs its own."""

import os
from pathlib import Path

from airflow_impl import home
from shared.settings import default_home

if __name__ == "__main__":  # before Airflow is imported: a database of its own, with this Dag only
    os.environ["TRIPTYCH_HOME"] = str(default_home() / "bench")
    home.apply(dags=Path(__file__))

from airflow.sdk import dag, task

CANDIDATES = 9


@dag(schedule=None)
def floor() -> None:
    """Six fixed tasks, and one mapped."""

    @task
    def ingest() -> int:
        return CANDIDATES

    @task
    def validate(batch: int) -> int:
        return batch

    @task
    def features(validated: int) -> int:
        return validated

    @task
    def plan(table: int) -> list[int]:
        return list(range(table))

    @task
    def train(candidate: int) -> int:
        return candidate

    @task
    def evaluate(trained: list[int]) -> int:
        return len(trained)

    @task
    def deploy(evaluation: int) -> int:
        return evaluation

    deploy(evaluate(train.expand(candidate=plan(features(validate(ingest()))))))


floor_dag = floor()

if __name__ == "__main__":
    home.prepare()
    floor_dag.test()

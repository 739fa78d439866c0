"""Prefect's floor: a flow of the pipeline's shape whose tasks do nothing, run as `prefect_impl.run` runs its own."""

from prefect_impl import home  # before Prefect is imported: its settings  # isort: skip
from prefect import flow, task
from prefect.futures import wait

from prefect_impl.pipeline import late_flights

CANDIDATES = 9


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


@flow(task_runner=late_flights.task_runner, persist_result=True, result_serializer="json")
def floor() -> int:
    trainings = train.map(plan(features(validate(ingest()))))
    wait(trainings)
    return deploy(evaluate([training.result() for training in trainings]))


if __name__ == "__main__":
    home.ensure_server()
    floor()

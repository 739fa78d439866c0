"""The run of many tasks that do nothing, as a Dag."""

from airflow.sdk import dag, task

from bench.wide import FIXED, no_op, plan, total, work


@dag(schedule=None, params={"width": 1})
def wide() -> None:
    """As many mapped tasks as the run's parameter says."""

    @task
    def width(params: dict[str, int] | None = None) -> int:
        assert params
        return params["width"]

    number = width()
    for _ in range(FIXED - 2):
        number = task(no_op)(number)
    mapped = task(task_id="mapped")(work).expand(number=task(plan)(number))
    task(total)(mapped, number)


wide_dag = wide()

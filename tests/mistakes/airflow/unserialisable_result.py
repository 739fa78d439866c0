from pathlib import Path

from airflow.sdk import dag, task


@task
def open_file():
    return Path(__file__).open()


@task
def count(lines):
    print(f"{len(list(lines))} lines")


@dag(schedule=None)
def flights():
    count(open_file())


dag_flights = flights()

if __name__ == "__main__":
    dag_flights.test()

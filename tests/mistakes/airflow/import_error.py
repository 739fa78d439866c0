import polers as pl
from airflow.sdk import dag, task


@task
def count():
    return pl.DataFrame({"flight": [1, 2]}).height


@dag(schedule=None)
def flights():
    count()


dag_flights = flights()

from airflow.sdk import dag, task


@task
def count():
    return 28


@task
def report():
    print("done")


@dag(schedule=None)
def flights():
    counted, reported = count(), report()
    counted >> reported >> counted


dag_flights = flights()

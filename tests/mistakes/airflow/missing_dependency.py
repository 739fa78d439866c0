from airflow.sdk import dag, task


@task
def count():
    return 28


@task
def report(flights):
    print(f"{flights} flights")


@dag(schedule=None)
def flights():
    counted = count()
    report(cuonted)


dag_flights = flights()

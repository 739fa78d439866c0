from airflow.sdk import dag, task


@task
def report():
    print("done")


@dag(schedule="0 25 * * *")
def flights():
    report()


dag_flights = flights()

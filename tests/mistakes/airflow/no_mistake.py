from airflow.sdk import dag, task


@task
def count():
    return 28


@task
def report(flights):
    print(f"{flights} flights")


@dag(schedule=None)
def flights():
    report(count())


dag_flights = flights()

if __name__ == "__main__":
    dag_flights.test()

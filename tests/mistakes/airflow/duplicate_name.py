from airflow.sdk import dag, task


@task(task_id="count")
def count_flights():
    return 28


@task(task_id="count")
def count_airports():
    return 3


@dag(schedule=None)
def flights():
    count_flights()
    count_airports()


dag_flights = flights()

if __name__ == "__main__":
    dag_flights.test()

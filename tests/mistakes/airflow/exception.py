from airflow.sdk import dag, task


@task
def average(delays):
    return sum(delays) / len(delays)


@dag(schedule=None)
def flights():
    average([])


dag_flights = flights()

if __name__ == "__main__":
    dag_flights.test()

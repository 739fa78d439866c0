from airflow.sdk import dag, task


@task
def report(params):
    print(f"the month is {params['month']}")


@dag(schedule=None, params={"month": "2013-05"})
def flights():
    report()


dag_flights = flights()

if __name__ == "__main__":
    dag_flights.test(run_conf={"mnth": "2013-06"})

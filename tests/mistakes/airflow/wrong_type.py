from airflow.sdk import Param, dag, task


@task
def report(params):
    print(f"the last {params['days']} days")


@dag(schedule=None, params={"days": Param(7, type="integer")})
def flights():
    report()


dag_flights = flights()

if __name__ == "__main__":
    dag_flights.test(run_conf={"days": "a week"})

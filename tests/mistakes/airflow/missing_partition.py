from airflow.sdk import CronPartitionTimetable, dag, task


@task
def count(dag_run):
    print(f"counts the flights of {dag_run.partition_key}")


@dag(schedule=CronPartitionTimetable("@monthly", timezone="UTC", key_format="%Y-%m"))
def flights():
    count()


dag_flights = flights()

# To the web UI's API: POST /api/v2/dags/flights/dagRuns {"logical_date": null, "partition_key": "2031-01"}

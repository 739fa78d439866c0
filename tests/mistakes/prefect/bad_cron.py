from prefect import flow, task


@task
def report():
    print("done")


@flow
def flights():
    report()


if __name__ == "__main__":
    flights.serve(cron="0 25 * * *")

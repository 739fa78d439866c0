from prefect import flow, task


@task
def count(reported):
    return 28


@task
def report(counted):
    return "done"


@flow
def flights():
    counted = count(reported)
    reported = report(counted)


if __name__ == "__main__":
    flights()

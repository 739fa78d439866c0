from prefect import flow, task


@task(name="count")
def count_flights():
    return 28


@task(name="count")
def count_airports():
    return 3


@flow
def flights():
    count_flights()
    count_airports()


if __name__ == "__main__":
    flights()

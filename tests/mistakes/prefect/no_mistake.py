from prefect import flow, task


@task
def count():
    return 28


@task
def report(flights):
    print(f"{flights} flights")


@flow
def flights():
    report(count())


if __name__ == "__main__":
    flights()

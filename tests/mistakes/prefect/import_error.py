import polers as pl
from prefect import flow, task


@task
def count():
    return pl.DataFrame({"flight": [1, 2]}).height


@flow
def flights():
    count()


if __name__ == "__main__":
    flights()

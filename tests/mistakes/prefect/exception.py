from prefect import flow, task


@task
def average(delays):
    return sum(delays) / len(delays)


@flow
def flights():
    average([])


if __name__ == "__main__":
    flights()

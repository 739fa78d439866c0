from prefect import flow, task


@task
def report(days):
    print(f"the last {days} days")


@flow
def flights(days: int = 7):
    report(days)


if __name__ == "__main__":
    flights(days="a week")

from prefect import flow, task


@task
def report(month):
    print(f"the month is {month}")


@flow
def flights(month: str = "2013-05"):
    report(month)


if __name__ == "__main__":
    flights(mnth="2013-06")

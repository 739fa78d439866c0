from prefect import flow, task


@task
def count(month):
    print(f"counts the flights of {month}")


@flow
def flights(month: str):
    count(month)


if __name__ == "__main__":
    flights("2031-01")

from pathlib import Path

from prefect import flow, task


@task
def open_file():
    return Path(__file__).open()


@task
def count(lines):
    print(f"{len(list(lines))} lines")


@flow
def flights():
    count(open_file())


if __name__ == "__main__":
    flights()

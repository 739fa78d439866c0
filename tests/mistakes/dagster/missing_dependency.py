import dagster as dg


@dg.asset
def count():
    return 28


@dg.asset
def report(cuont):
    print(f"{cuont} flights")

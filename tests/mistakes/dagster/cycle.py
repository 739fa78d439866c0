import dagster as dg


@dg.asset
def count(report):
    return 28


@dg.asset
def report(count):
    print("done")

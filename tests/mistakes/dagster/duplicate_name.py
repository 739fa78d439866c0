import dagster as dg


@dg.asset(name="count")
def count_flights():
    return 28


@dg.asset(name="count")
def count_airports():
    return 3

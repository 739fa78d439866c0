import dagster as dg


@dg.asset
def delays():
    return []


@dg.asset
def average(delays):
    return sum(delays) / len(delays)


if __name__ == "__main__":
    dg.materialize([delays, average])

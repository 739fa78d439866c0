import dagster as dg


@dg.asset
def count():
    return 28


@dg.asset
def report(count):
    print(f"{count} flights")


if __name__ == "__main__":
    dg.materialize([count, report])

from pathlib import Path

import dagster as dg


@dg.asset
def lines():
    return Path(__file__).open()


@dg.asset
def count(lines):
    print(f"{len(list(lines))} lines")


if __name__ == "__main__":
    dg.materialize([lines, count])

import dagster as dg


class Settings(dg.Config):
    month: str = "2013-05"


@dg.asset
def report(config: Settings):
    print(f"the month is {config.month}")


if __name__ == "__main__":
    dg.materialize([report], run_config={"ops": {"report": {"config": {"mnth": "2013-06"}}}})

import dagster as dg


class Settings(dg.Config):
    days: int = 7


@dg.asset
def report(config: Settings):
    print(f"the last {config.days} days")


if __name__ == "__main__":
    dg.materialize([report], run_config={"ops": {"report": {"config": {"days": "a week"}}}})

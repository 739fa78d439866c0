import dagster as dg


@dg.asset
def report():
    print("done")


every_day = dg.ScheduleDefinition(name="every_day", target=[report], cron_schedule="0 25 * * *")

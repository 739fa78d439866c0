import dagster as dg

months = dg.MonthlyPartitionsDefinition(start_date="2013-01", fmt="%Y-%m")


@dg.asset(partitions_def=months)
def count(context: dg.AssetExecutionContext):
    print(f"counts the flights of {context.partition_key}")


if __name__ == "__main__":
    dg.materialize([count], partition_key="2031-01")

"""The pipeline in Dagster: assets, partitioned by month."""

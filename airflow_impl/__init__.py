"""The pipeline in Airflow. Airflow reads its settings when it is first imported, so they are set here."""

from airflow_impl import environment

environment.apply()

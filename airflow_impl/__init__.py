"""The pipeline in Airflow. Airflow reads its settings when it is first imported, so they are set here."""

import sys

from airflow_impl import home

if "airflow" not in sys.modules:  # else Airflow itself imports this, under the settings of the command that started it
    home.apply()

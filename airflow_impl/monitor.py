"""`python -m airflow_impl.monitor`: Airflow's web UI, its metrics, which Airflow's API server shows, and Prometheus."""

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from airflow_impl import metrics
from shared.runtime import monitor

if __name__ == "__main__":
    monitor.main("airflow", "/api/v2/monitor/health", metrics.PREFIX + metrics.PATH)

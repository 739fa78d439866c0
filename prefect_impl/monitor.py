"""`python -m prefect_impl.monitor`: Prefect's web UI, its metrics, from an exporter beside it, and Prometheus."""

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from shared.runtime import monitor

if __name__ == "__main__":
    monitor.main("prefect", "/api/health")

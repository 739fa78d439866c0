"""The pipeline's work, without any orchestrator: seven stages as plain functions."""

import gc
import os

# One thread for each fit: two threads in two processes are slower on two cores, and sums keep their order.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# What the stages import is a million objects: with fewer collections it loads a fifth faster.
gc.set_threshold(100_000)
# No telemetry, no nagging.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

"""What makes a process start and end sooner. `make bench` measures what each function gains (bench/startup.py)."""

import atexit
import gc


def collect_garbage_seldom() -> None:
    """Loading the pipeline creates a million objects, and the default threshold looks through them again and again."""
    gc.set_threshold(100_000)


def load_skops_first() -> None:
    """skops looks through all loaded modules as it loads: before the other libraries there are few."""
    import skops.io  # noqa: F401


def skip_last_collection() -> None:
    """At its exit Python would look through all objects once more, though the system frees them anyway."""
    atexit.register(gc.freeze)

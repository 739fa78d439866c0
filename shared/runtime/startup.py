"""What makes a process start and end sooner. `make bench` measures what each function gains (bench/startup.py)."""

import atexit
import gc
import sys
from importlib import import_module
from types import ModuleType, SimpleNamespace

import wrapt


def collect_garbage_seldom() -> None:
    """Loading the pipeline creates a million objects, and the default threshold looks through them again and again."""
    gc.set_threshold(100_000)


def let_skops_find_scipy() -> None:
    """As it loads, skops looks for each function of SciPy in all loaded modules, one by one: SciPy's go first."""

    def reorder(utils: ModuleType) -> None:
        import_module("scipy.special")
        loaded = sys.modules.copy()
        first = {name: module for name, module in loaded.items() if name.startswith(("numpy", "scipy"))}
        vars(utils)["sys"] = SimpleNamespace(modules=first | loaded)

    wrapt.register_post_import_hook(reorder, "skops.io._utils")


def skip_last_collection() -> None:
    """At its exit Python would look through all objects once more, though the system frees them anyway."""
    atexit.register(gc.freeze)

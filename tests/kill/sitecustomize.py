"""Python imports this at its start when the folder is on PYTHONPATH: it lets a test kill a process inside a function.

On entry, each function of `shared` looks whether the file $TEST_KILL_ORDER names it. If so, it puts its process's id
into the file `<order>.done` and sends the signal of the order: SIGKILL to the process, another one to its group.
"""

import functools
import importlib.abc
import importlib.machinery
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

ORDER = Path(os.environ.get("TEST_KILL_ORDER", "/nonexistent"))


def obey(name: str) -> None:
    try:
        ordered, number = ORDER.read_text().split()
    except FileNotFoundError:
        return
    if ordered == name:
        mine = ORDER.with_name(f"{ORDER.name}.{os.getpid()}")
        try:
            ORDER.rename(mine)
        except FileNotFoundError:  # another process was faster
            return
        mine.write_text(str(os.getpid()))
        mine.rename(ORDER.with_name(f"{ORDER.name}.done"))
        if int(number) == signal.SIGKILL:
            os.kill(os.getpid(), signal.SIGKILL)
        os.killpg(0, int(number))


def watched(function: FunctionType) -> Callable[..., Any]:
    name = f"{function.__module__}:{function.__name__}"

    @functools.wraps(function)
    def watch(*args: Any, **kwargs: Any) -> Any:
        obey(name)
        return function(*args, **kwargs)

    return watch


class Watcher(importlib.abc.MetaPathFinder):
    """Wraps the functions of each module of `shared` when it is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name.startswith("shared.") else None
        if spec and spec.loader:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                for key, value in list(vars(module).items()):
                    if isinstance(value, FunctionType) and value.__module__ == name:
                        setattr(module, key, watched(value))

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Watcher())

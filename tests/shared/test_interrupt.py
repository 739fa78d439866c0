"""Ctrl-C: the command says once how it has ended, however long Python takes to end after that."""

import subprocess
import sys

SLOW_END = """
import atexit, os, signal, time
from shared.runtime import interrupt

atexit.register(time.sleep, 60)
interrupt.watch(seconds=0.2)
interrupt.while_waiting()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    interrupt.end("stopped; the same command begins anew")
"""

DROPPED_BY_PYTHON = """
import os, signal, time, weakref
from shared.runtime import interrupt

class Thing: pass

interrupt.while_waiting()
thing = Thing()
reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
try:
    del thing
    time.sleep(60)
except KeyboardInterrupt:
    interrupt.end("stopped; the same command begins anew")
"""


def test_interrupt_that_python_drops_in_a_callback_is_raised_just_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", DROPPED_BY_PYTHON], capture_output=True, text=True, timeout=50)

    assert done.returncode == 130
    assert done.stderr == "\nstopped; the same command begins anew\n"


def test_command_that_has_said_that_it_stops_is_cut_off_without_another_word() -> None:
    done = subprocess.run([sys.executable, "-c", SLOW_END], capture_output=True, text=True, timeout=50)

    assert done.returncode == 130
    assert done.stderr == "\nstopped; the same command begins anew\n"

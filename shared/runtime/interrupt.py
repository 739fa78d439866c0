"""Ctrl-C and SIGTERM: a command ends within 5 seconds, says so in one sentence, and leaves nothing behind.

A command's first import is this module, which loads in no time. While the libraries load, nothing has begun, and an
interrupt ends the process at once. Afterwards it is one KeyboardInterrupt, which lets the run be ended in an orderly
way; a second interrupt changes nothing. What takes longer than GRACE_SECONDS is cut off; the next command finishes it.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

GRACE_SECONDS = 4.0
EXIT_CODE = 130  # a shell's exit code for a command that Ctrl-C has ended
SIGNALS = (signal.SIGINT, signal.SIGTERM)

requested = threading.Event()
"""Set as soon as an interrupt was asked for."""

noticed = threading.Event()
"""Set as well, after `while_running`, if a tool's own handler took the signal and did nothing."""

last_word = threading.Lock()
"""Taken, for good, by who says how the command ended: Python's own end may take longer than GRACE_SECONDS."""


def while_loading() -> None:
    """End the process at once: an exception might be swallowed by a library that is being imported."""
    for number in SIGNALS:
        signal.signal(number, end_at_once)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


@contextmanager
def held() -> Iterator[None]:
    """A command that is started in the block gets an interrupt only once it handles it, from `while_loading` on.

    Python itself, as it starts, would answer with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def while_waiting() -> None:
    """Raise one KeyboardInterrupt, in a process that waits for others."""
    sys.unraisablehook = raise_again
    for number in SIGNALS:
        signal.signal(number, raise_once)


def while_running() -> None:
    """Raise one KeyboardInterrupt, and end the process if it still runs GRACE_SECONDS later."""
    watch()
    while_waiting()


def watch(seconds: float = GRACE_SECONDS) -> None:
    """End the process so many seconds after the first interrupt, whoever handles that: it may be the tool."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)  # is written also while C code or a tool has the signal
    threading.Thread(target=cut_off, args=[reader, seconds], daemon=True).start()


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """The signal handler while the libraries load."""
    say("stopped before anything was begun")
    leave()


def raise_once(number: int, frame: FrameType | None) -> None:
    """The signal handler of a run: an interrupt after the first one changes nothing."""
    if not requested.is_set():
        requested.set()
        raise KeyboardInterrupt


def raise_again(ignored: "sys.UnraisableHookArgs") -> None:
    """Python drops what is raised in a destructor or a weak reference's callback: interrupt again, just after it."""
    if ignored.exc_type is KeyboardInterrupt:
        requested.clear()
        main = threading.main_thread().ident
        threading.Timer(0.01, signal.pthread_kill, [main, signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(ignored)


def cut_off(reader: int, seconds: float) -> None:
    """Wait for the first interrupt, give the run its time to end, and end the process."""
    while os.read(reader, 1)[0] not in SIGNALS:
        pass
    noticed.set()
    time.sleep(seconds)  # there is nothing to poll: if the run ends sooner, this thread ends with its process
    if last_word.acquire(blocking=False):
        say("stopped; what could not be ended in time, the next command ends")
    leave()


def say(sentence: str) -> None:
    """Print a sentence on a line of its own, after the ^C of the terminal."""
    print(f"\n{sentence}", file=sys.stderr, flush=True)


def end(sentence: str) -> NoReturn:
    """Say why the command ends, and end it; an interrupt is ignored from now on, even while Python shuts down."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if last_word.acquire(blocking=False):
        say(sentence)
    sys.exit(EXIT_CODE)


def leave() -> NoReturn:
    """End the process without waiting for its threads."""
    sys.stdout.flush()
    os._exit(EXIT_CODE)

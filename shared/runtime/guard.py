"""`python guard.py COMMAND …` runs the command, and ends all of its session when the parent process is gone.

Only so is a server ended for sure: a parent that gets SIGKILL ends nothing any more, but its pipe to this one closes.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

STOP_SECONDS = 4.0


def main() -> None:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    for early in signal.sigpending():  # while they are blocked, what came before the child was there has not reached it
        child.send_signal(early)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # goes to the whole group: the child decides when it ends
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_after_parent, daemon=True).start()
    sys.exit(child.wait())


def end_after_parent() -> None:
    """Wait for the end of the parent, that is of standard input; then end the session."""
    os.read(0, 1)
    end_session(os.getpid(), but=os.getpid())
    os._exit(1)


def end_session(leader: int, but: int | None = None) -> None:
    """Ask the leader's process group to end, then kill what is left of its session, in whatever group, except `but`."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
    if not gone(leader, but):
        for pid in session(leader):
            if pid != but:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        gone(leader, but)


def gone(leader: int, but: int | None) -> bool:
    """Wait until the session has no process any more, except `but`; False if it still has after STOP_SECONDS."""
    deadline = time.monotonic() + STOP_SECONDS
    while [pid for pid in session(leader) if pid != but]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def session(leader: int) -> list[int]:
    """The living processes of the leader's session; a server's children may have process groups of their own."""
    with subprocess.Popen(["ps", "-A", "-o", "pid=,stat="], stdout=subprocess.PIPE, text=True) as ps:
        rows = [line.split() for line in ps.stdout or ()]
    living = [int(pid) for pid, state in rows if not state.startswith("Z") and int(pid) != ps.pid]
    return [pid for pid in living if session_of(pid) == leader]


def session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


if __name__ == "__main__":
    main()

"""`python guard.py COMMAND …` runs the command, and ends its process group when the parent process is gone.

Only so is a server ended for sure: a parent that gets SIGKILL ends nothing any more, but its pipe to this one closes.
"""

import os
import signal
import subprocess
import sys
import threading
import time

STOP_SECONDS = 10.0


def main() -> None:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # goes to the whole group: the child decides when it ends
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_after_parent, daemon=True).start()
    sys.exit(child.wait())


def end_after_parent() -> None:
    """Wait for the end of the parent, that is of standard input; then end the group, this process last."""
    os.read(0, 1)
    os.killpg(0, signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()

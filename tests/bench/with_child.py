"""A process of 80 MB more than Python that starts another one, and ends a moment later."""

import subprocess
import sys
import time

block = bytearray(80 * 2**20)
if len(sys.argv) == 1:
    subprocess.run([sys.executable, "-m", "tests.bench.with_child", "alone"], check=True)
time.sleep(2)  # so that bench.runs, which looks every LOOK_SECONDS, sees both at once

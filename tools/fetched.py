"""What `uv sync` says, on standard input, made short: each large package that has come, and how much is left."""

import re
import sys

MB = {"KiB": 0.001, "MiB": 1.0, "GiB": 1000.0}
LARGE = 5.0
HIDDEN = re.compile(r" [-+~] |Using CPython|Creating virtual|warning: Failed to hardlink")


def main() -> None:
    left: dict[str, float] = {}
    for line in sys.stdin:
        if begun := re.match(r"Downloading (\S+) \(([\d.]+)(...)\)", line):
            left[begun[1]] = float(begun[2]) * MB[begun[3]]
        elif ended := re.match(r" Downloaded (\S+)", line):
            if left.pop(ended[1], 0) > LARGE:
                print(f"  fetched {ended[1]}; {sum(left.values()):.0f} MB left", flush=True)
        elif not HIDDEN.match(line):
            print(f"  {line.strip()}", flush=True)


if __name__ == "__main__":
    main()

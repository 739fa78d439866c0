"""The machine that measures: so that a reader sees where a figure comes from, and the page whether that is here."""

import hashlib
import os
import platform
import uuid
from pathlib import Path


def machine() -> dict[str, object]:
    """The processor, its cores, memory in GB, the system, and an id that is the same at each call on one machine."""
    found = {"cpu": cpu(), "cores": os.cpu_count(), "memory_gb": memory_gb(), "system": system()}
    return {**found, "id": hashed(platform.node(), uuid.getnode(), *found.values())}


def cpu() -> str:
    """The processor's name as Linux tells it; elsewhere Python's word for it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)


def system() -> str:
    """The system with its version, and without the kernel's, which changes with every update."""
    if platform.system() != "Linux":
        return f"{platform.system()} {platform.release()}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return "Linux"


def hashed(*parts: object) -> str:
    """Sixteen hexadecimal digits, from which nobody reads the machine's name or its network address."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

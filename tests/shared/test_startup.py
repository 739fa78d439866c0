"""What makes a process start sooner changes nothing else."""

import subprocess
import sys

from shared.settings import ROOT

PROGRAM = """
import sys
from types import ModuleType

class Asked(ModuleType):
    names = []

    def __getattr__(self, name):
        self.names.append(name)
        raise AttributeError(name)

sys.modules["loaded_before"] = Asked("loaded_before")
import shared.lib.model
import skops.io._trusted_types as types
print([name for name in Asked.names if name in ("airy", "expit", "zetac")])
print(len(types.SCIPY_UFUNC_TYPE_NAMES) > 200)
print(sorted({name.split(".")[0] for name in types.SCIPY_UFUNC_TYPE_NAMES + types.NUMPY_UFUNC_TYPE_NAMES}))
"""


def test_skops_asks_no_module_loaded_before_for_the_functions_of_scipy() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    asked, many, packages = found.stdout.splitlines()
    assert (asked, many) == ("[]", "True")
    assert packages == "['numpy', 'scipy']"

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from statusboard import heap

FREED = """
import sys
from statusboard import heap
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
if sys.argv[1] == "little":
    assert heap.keep_little()
else:
    import ctypes
    ctypes.CDLL(None).mallopt(-3, 1 << 25)  # as glibc has it once such pieces were freed
before = resident()
pieces = [bytes(bytearray(b"x" * 500_000)) for _ in range(40)]
kept = bytes(bytearray(b"y" * 100_000))  # stands behind them
del pieces
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what other libraries keep cannot be told them")
def test_what_is_freed_goes_back_to_the_system() -> None:
    def kept(how: str) -> int:
        told = subprocess.run([sys.executable, "-c", FREED, how], stdout=subprocess.PIPE, text=True, check=True)
        return int(told.stdout)

    assert kept("little") < 4_000_000 < kept("much")


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not heap.keep_little()

"""What is given back to the system, in a process of its own."""

import subprocess
import sys

import pytest

FREED_MB = """
import sys
from pathlib import Path
from stream.memory import give_back

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 / 1024

scattered = [bytes(8_000) for _ in range(20_000)]
kept = scattered[::1_000]
del scattered
before = resident_mb()
give_back()
print(before - resident_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_between_what_is_still_in_use_goes_back_to_the_system():
    freed = subprocess.run([sys.executable, "-c", FREED_MB], capture_output=True, text=True, check=True)

    assert float(freed.stdout) > 100, "MB of 160"

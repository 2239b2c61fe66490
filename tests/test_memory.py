"""Memory of one film is there for the next: no page is asked for twice."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hoseg import memory

CODE = """
import resource, sys
import numpy as np
from hoseg.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def film():
    return [np.ones(megabytes * 2**20, np.uint8) for megabytes in (15, 30, 30, 7)]
for _ in range(3):
    film()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
film()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not memory.keep_freed_memory(), reason="not the C library of GNU")
def test_a_film_uses_the_memory_of_the_one_before():
    def faults(word: str) -> int:
        command = [sys.executable, "-c", CODE, word]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("keep") <= 10 < faults("let go")


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert not memory.keep_freed_memory()

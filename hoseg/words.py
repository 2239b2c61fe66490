"""Words that stand in many outputs, said once."""

from __future__ import annotations

from typing import Literal

RESEARCH_USE = "Research use only. Not a medical device."
"""On every output."""

BROOKER = ("0", "I", "II", "III", "IV")
"""Brooker classes as readers write them; the index is the class."""

Status = Literal["graded", "abstained", "skipped", "failed"]
"""What became of an input: the status of its row in ``images.csv``."""

"""Grade phantoms whose class, gap, attachment and sites are known, and print how often it is right.

python scripts/grade_phantoms.py --count 3000 --jobs 2
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from hoseg.words import BROOKER

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from grade.oracle import compare

NAMES = (*BROOKER, "none given")


def confusion(rows):
    """(5, 6) counts: built class by class found; the last column is abstained."""
    table = np.zeros((5, 6), int)
    for row in rows:
        table[row.expected, 5 if row.found is None else row.found] += 1
    return table


def show(title, rows):
    print(f"\n{title}: {len(rows)} hips")
    print("built \\ found " + "".join(f"{name:>12}" for name in NAMES))
    for name, counts in zip(NAMES, confusion(rows), strict=False):
        print(f"{name:>13} " + "".join(f"{n:>12}" for n in counts))


def share(values):
    values = list(values)
    return f"{sum(values)} of {len(values)} ({100 * np.mean(values):.2f} %)" if values else "none"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first phantom")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.count)
    with Pool(options.jobs) as pool:
        rows = [row for part in pool.imap(compare, seeds, chunksize=20) for row in part]
    clear = [row for row in rows if row.clear]
    show("unambiguous", clear)
    show("ambiguous by construction", [row for row in rows if not row.clear])
    gaps = [row for row in clear if np.isfinite(row.gap_error_mm)]
    errors = np.abs([row.gap_error_mm for row in gaps])
    print(f"\nBrooker right:      {share(row.found == row.expected for row in clear)}")
    print(f"Della Valle right:  {share(row.della_right for row in clear)}")
    print(f"side right:         {share(row.side_right for row in clear)}")
    print(f"gap within max(0.5 mm, 1 pixel): {share(row.gap_good for row in gaps)}")
    if gaps:
        pixels = np.array([row.pixel_mm for row in gaps])
        far, worst = np.quantile(errors, 0.99), errors.max()
        print(f"gap error: median {np.median(errors):.3f}, 99 % {far:.3f}, worst {worst:.2f} mm")
        print(f"           median {np.median(errors / pixels):.2f} pixels")
    print(f"attachment right:   {share(x for row in clear for x in row.attachments)}")
    print(f"site right:         {share(x for row in clear for x in row.sites)}")
    wrong = [row for row in clear if row.found != row.expected]
    print(f"\nwrong by kind: {dict(Counter(row.kind for row in wrong))}")
    for row in wrong[:20]:
        print(
            f"  seed {row.seed}: {row.kind}, {row.implant}, pixel {row.pixel_mm:.2f} mm, gap "
            f"{row.gap_mm:.2f} mm ({row.gap_error_mm:+.2f}), built {row.expected}, found "
            f"{row.found} {row.abstained or ''}"
        )
    print("other misses (seed):")
    print("  gap:", [row.seed for row in gaps if not row.gap_good][:20])
    print("  attachment:", [row.seed for row in clear if not all(row.attachments)][:20])
    print("  site:", [row.seed for row in clear if not all(row.sites)][:20])
    print("  side:", [row.seed for row in clear if not row.side_right][:20])
    return 0 if not wrong else 1


if __name__ == "__main__":
    sys.exit(main())

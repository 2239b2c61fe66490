"""Teach a model on simulated films what grading asks it besides masks, and write it to its folder.

    hoseg simulate --out B --count 400 --seed 71001 --prevalence balanced --spacing-mm 0.5
    hoseg simulate --out N --count 400 --seed 71002 --prevalence natural --spacing-mm 0.5
    hoseg simulate --out M --count 2000 --seed 71003 --prevalence balanced --spacing-mm 0.5
    python scripts/fit_classes.py models/NAME B N --close-ups M

With ``--close-ups`` two small networks learn first from those films (``hoseg.grade.closeup``):
one looks at each ossification and tells attachment from superimposition, one looks at each hip and
tells its class. Without, the model keeps those it has, if any. Then the regressions behind P(class)
are fitted on the other films, which the small networks have not seen. Needed anew whenever the
segmentation network changes. Films must not be those the model is judged on. Prints how well films
that a fit has not seen are predicted (five folds), beside the draws and the measurements without
the close-up; and how well the rules agree with the truth in space, with every contact and with
those that count.

Research use only. Not a medical device.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import torch

from hoseg.train.closeup_network import CloseUpSettings
from hoseg.train.grading_models import FitOptions, fit_grading_models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model folder; its card.json is rewritten")
    parser.add_argument("films", type=Path, nargs="+", help="folders of hoseg simulate")
    parser.add_argument("--close-ups", type=Path, nargs="+", default=[], help="the same, others")
    parser.add_argument("--epochs", type=int, default=CloseUpSettings.epochs)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dry", action="store_true", help="print figures, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(args.workers)
    options = FitOptions(args.epochs, args.workers, args.dry)
    log = partial(print, flush=True)
    fit_grading_models(args.model, args.films, args.close_ups, options, log)
    if not args.dry:
        print(f"written to {args.model}")


if __name__ == "__main__":
    main()

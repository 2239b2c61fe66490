"""Write the MODEL_CARD.md of a model anew from its card.json, after a card was edited by hand.

    python scripts/write_card.py models/NAME

Whatever else changes a card (training, calibrate.py, fit_classes.py, judge.py) writes it itself.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hoseg.segment.card_text import write_card
from hoseg.segment.weights import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model folder, whose hashes are checked first")
    folder = parser.parse_args().model
    write_card(load_model(folder).card, folder)


if __name__ == "__main__":
    main()

"""Write what ``hoseg evaluate`` found into the card of a model.

    hoseg simulate --out balanced --count 300 --seed 90007 --prevalence balanced --spacing-mm 0.5
    hoseg simulate --out natural --count 400 --seed 90008 --prevalence natural --spacing-mm 0.5
    hoseg evaluate balanced natural --model models/NAME --out judged
    python scripts/judge.py models/NAME judged --about "..."

``metrics.evaluation`` of card.json is written anew, and MODEL_CARD.md from it; the weights stay as
they are. Research use only. Not a medical device.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hoseg.evaluate.figures import DATA_SET
from hoseg.segment.card_text import JUDGED, write_card
from hoseg.segment.weights import load_model


def by_data_set(rows: dict[str, Any]) -> dict[str, Any]:
    """Of the strata of a figure, the data sets and all of them together."""
    prefix = f"{DATA_SET}: "
    return {
        name.removeprefix(prefix): row
        for name, row in rows.items()
        if name == "all" or name.startswith(prefix)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model folder; its card is rewritten")
    parser.add_argument("evaluation", type=Path, help="folder that hoseg evaluate wrote")
    parser.add_argument("--about", required=True, help="what the films are, how to make them again")
    args = parser.parse_args()
    metrics = json.loads((args.evaluation / "metrics.json").read_text("utf-8"))
    card = load_model(args.model).card
    if metrics["model"] != card.label:
        raise SystemExit(f"{args.evaluation} judged {metrics['model']}, not {card.label}")
    shown = {name: metrics["figures"][name] for name, _ in JUDGED if name in metrics["figures"]}
    found = {
        "hoseg": metrics["hoseg_version"],
        "films": metrics["counts"]["films_judged"],
        "about": args.about,
        "figures": {name: by_data_set(rows) for name, rows in shown.items()},
    }
    card = card.model_copy(update={"metrics": {**card.metrics, "evaluation": found}})
    write_card(card, args.model)


if __name__ == "__main__":
    main()

"""Write what ``hoseg evaluate`` found into the card of a model.

    hoseg simulate --out balanced --count 300 --seed 90007 --prevalence balanced --spacing-mm 0.5
    hoseg simulate --out natural --count 400 --seed 90008 --prevalence natural --spacing-mm 0.5
    hoseg evaluate balanced natural --model models/NAME --out judged
    python scripts/judge.py models/NAME judged --about "..."

``metrics.evaluation`` of card.json and the section "Judged" of MODEL_CARD.md are written anew; the
weights stay as they are. Research use only. Not a medical device.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hoseg.segment.card import write_card
from hoseg.segment.weights import load_model
from hoseg.train.model_card import JUDGED, with_evaluation


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
    found = {
        "films": metrics["counts"]["films_judged"],
        "about": args.about,
        "figures": {name: metrics["figures"].get(name, {}).get("all") for name, _ in JUDGED},
    }
    card = card.model_copy(update={"metrics": {**card.metrics, "evaluation": found}})
    write_card(card, args.model / "card.json")
    readme = args.model / "MODEL_CARD.md"
    text = with_evaluation(readme.read_text("utf-8"), metrics, args.about)
    readme.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

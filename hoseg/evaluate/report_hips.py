"""Sections of the report that speak of hips: classes, abstention, gap, calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hoseg.evaluate import charts
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.case import BINS, CLASSES, CaseScore, HipScore
from hoseg.evaluate.measures import SEVERE, assurance, chances
from hoseg.evaluate.page import Chart, Grid, Section, cell
from hoseg.evaluate.summary import Figure, lookup
from hoseg.evaluate.tables import ROMAN
from hoseg.radiograph import STRUCTURES


def classes(hips: Sequence[HipScore], figures: Sequence[Figure]) -> Section:
    """Confusion matrices and agreement."""
    shown = []
    for name, title, pairs in (
        ("truth", "Class against the truth", [(h.truth, h.predicted) for h in hips]),
        ("masks", "Every contact counted", [(h.truth_masks, h.every_contact) for h in hips]),
    ):
        known = [(t, p) for t, p in pairs if t is not None and p is not None]
        if known:
            truth, found = zip(*known, strict=True)
            counts = stats.confusion(truth, found, CLASSES, np.ones((1, len(known))))[0]
            caption = (
                "Rows add up to 100 %. Truth: the class the data set gives."
                if name == "truth"
                else "Predicted: the class if every contact on the film counted. Truth: what the "
                "grading module reads from the true masks, where every contact counts, so that "
                "only errors of segmentation remain."
            )
            svg = charts.matrix(counts, ROMAN, "truth", "predicted")
            shown.append(Chart(svg, title, caption))
    titles = (
        ("kappa_quadratic", "quadratic-weighted kappa"),
        ("kappa_plain", "plain kappa"),
        ("exact", "exact"),
        ("within_one", "within one class"),
        ("severe_sensitivity", "III–IV, sensitivity"),
        ("severe_specificity", "III–IV, specificity"),
        ("severe_auc", "III–IV, AUC of the probability"),
    )
    kinds = (
        "class",
        "class_likeliest",
        "class_every_contact",
        "class_from_true_masks",
        "class_every_contact_from_true_masks",
        "construction_against_true_masks",
    )
    rows = tuple(
        (title, *(cell(lookup(figures, f"{kind}.{name}")) for kind in kinds))
        for name, title in titles
    )
    head = (
        "",
        "against the truth",
        "likeliest class, against the truth",
        "every contact counted, against the truth",
        "against the true masks",
        "every contact counted, against the true masks",
        "truth against the true masks",
    )
    lead = (
        "Brooker classes of the hips that were graded. The class is the one the rules give; the "
        "likeliest class has the highest probability. A model may leave out contacts that look "
        "superimposed; with every contact counted the class is what the masks alone say. The last "
        "column is no result of the model: it says how far a perfect segmentation would agree with "
        "the truth, because superimposition makes the film and the hip differ."
    )
    return Section("Classes", lead, charts=tuple(shown), grids=(Grid(head, rows),))


def abstention(hips: Sequence[HipScore], figures: Sequence[Figure]) -> Section:
    """Reasons for abstaining, and risk against coverage."""
    graded = [h for h in hips if h.truth is not None]
    reasons = Counter(h.abstained or "abstained" for h in graded if h.predicted is None)
    rows = tuple((reason, str(count)) for reason, count in reasons.most_common())
    facts = tuple(
        (title, cell(figure))
        for name, title in (
            ("class.abstained", "share of hips abstained on"),
            ("class.risk_coverage_area", "area under the risk-coverage curve (lower is better)"),
        )
        if (figure := lookup(figures, name))
    )
    grids = [Grid(("", "value"), facts)]
    if rows:
        grids.append(Grid(("reason for abstaining", "hips"), rows))
    sure = assurance(graded)
    answered = np.isfinite(sure)
    shown: tuple[Chart, ...] = ()
    if answered.sum() > 1:
        wrong = np.array([h.truth != h.predicted for h in graded])[answered]
        coverage, risk = stats.risk_coverage(
            sure[answered], wrong, np.ones((1, int(answered.sum())))
        )
        share = coverage[0] * answered.sum() / len(graded)
        top = charts.Axis(
            "share of answers that are wrong", 0.0, max(0.2, float(risk.max())) * 1.05
        )
        svg = charts.plot(
            charts.Axis("share of hips answered (coverage)", 0, 1),
            top,
            [charts.Series(share, risk[0])],
            "Risk against coverage",
        )
        caption = (
            "Surest answers first, by the probability of the class that was given; the curve ends "
            "where the model abstains on the rest."
        )
        shown = (Chart(svg, "Risk and coverage", caption),)
    return Section("Abstention", charts=shown, grids=tuple(grids))


def gap(hips: Sequence[HipScore], figures: Sequence[Figure]) -> Section:
    """Bland-Altman plots and their figures, against the truth and against the true masks."""
    plots = [
        bland_altman(figures, kind, title, [(getattr(h, key), h.predicted_gap_mm) for h in hips])
        for kind, title, key in (
            ("gap", "Against the truth", "true_gap_mm"),
            ("gap_from_true_masks", "Against the true masks", "true_masks_gap_mm"),
        )
    ]
    shown = tuple(chart for chart in plots if chart is not None)
    if not shown:
        return Section("Gap between opposing bone")
    titles = (
        ("bias", "bias"),
        ("limit_low", "lower limit of agreement"),
        ("limit_high", "upper limit of agreement"),
        ("absolute_error_median", "median absolute error"),
    )
    rows = tuple(
        (title, *(cell(lookup(figures, f"{k}.{name}")) for k in ("gap", "gap_from_true_masks")))
        for name, title in titles
    )
    lead = (
        "Hips with a gap in the truth and in the prediction. The true masks are the flat picture; "
        "the truth of simulated films is measured in space."
    )
    head = ("mm", "against the truth", "against the true masks")
    return Section("Gap between opposing bone", lead, charts=shown, grids=(Grid(head, rows),))


def bland_altman(
    figures: Sequence[Figure],
    kind: str,
    title: str,
    pairs: Sequence[tuple[float | None, float | None]],
    difference: str = "predicted less true (mm)",
) -> Chart | None:
    """Difference against mean of pairs (first, second) in mm; None without a whole pair.

    kind: name of the figures that hold bias and limits
    """
    known = np.array([pair for pair in pairs if None not in pair], float).reshape(-1, 2)
    if not len(known):
        return None
    middle, error = known.mean(axis=1), known[:, 1] - known[:, 0]
    found = [lookup(figures, f"{kind}.{name}") for name in ("bias", "limit_low", "limit_high")]
    lines = [f.estimate.value for f in found if f is not None and f.estimate.value is not None]
    x = charts.axis_for("mean of both gaps (mm)", middle, zero=True)
    y = charts.axis_for(difference, [*error, *lines], zero=True)
    series = [charts.Series(middle, error, marks=True)]
    series += [charts.Series([x.low, x.high], [v, v], dashed=True) for v in lines]
    svg = charts.plot(x, y, series, f"Bland-Altman plot of the gap, {title.lower()}")
    caption = f"{len(known)} hips. Dashed: bias and 95 % limits of agreement."
    return Chart(svg, title, caption)


def calibration(
    cases: Sequence[CaseScore], hips: Sequence[HipScore], figures: Sequence[Figure]
) -> Section:
    """Reliability of hips and of pixels."""
    shown = []
    p = chances(hips)
    known = np.isfinite(p).all(axis=1) & np.array([h.truth is not None for h in hips], bool)
    if known.any():
        truth = np.array([-1 if h.truth is None else h.truth for h in hips])[known]
        p = p[known]
        sums = [
            ("class", p.max(axis=1), p.argmax(axis=1) == truth),
            ("III–IV", p[:, SEVERE:].sum(axis=1), truth >= SEVERE),
        ]
        lines = [
            (name, stats.calibration_sums(chance, hit, BINS).sum(axis=0))
            for name, chance, hit in sums
        ]
        shown.append(
            Chart(_reliability(lines, "hips"), "Hips", "The surest class, and severe or not.")
        )
    with_pixels = [case for case in cases if case.calibration]
    if with_pixels:
        lines = []
        for i, name in enumerate(STRUCTURES):
            parts = [case.calibration[i] for case in with_pixels]
            planes = [(c.pixels, c.probability, c.outcome) for c in parts]
            lines.append((name, np.sum(np.array(planes), axis=0).T))
        shown.append(
            Chart(_reliability(lines, "pixels"), "Pixels", "All scored pixels, by structure.")
        )
    rows = [
        (title, cell(figure))
        for name, title in (
            ("class.brier", "class, Brier score (0 to 2)"),
            ("class.ece", "class, expected calibration error"),
            ("severe.brier", "III–IV, Brier score (0 to 1)"),
            ("severe.ece", "III–IV, expected calibration error"),
            *((f"{n}.pixel_ece", f"{n} pixels, expected calibration error") for n in STRUCTURES),
        )
        if (figure := lookup(figures, name))
    ]
    lead = "On the diagonal a probability means what it says; below it the model is too sure."
    grids = (Grid(("", "value"), tuple(rows)),) if rows else ()
    return Section("Calibration", lead, charts=tuple(shown), grids=grids)


def _reliability(lines: Sequence[tuple[str, np.ndarray]], what: str) -> str:
    series = [charts.Series([0, 1], [0, 1], dashed=True)]
    for (name, sums), colour in zip(lines, charts.PALETTE, strict=False):
        count = np.where(sums[:, 0] > 0, sums[:, 0], np.nan)
        x, y = sums[:, 1] / count, sums[:, 2] / count
        series.append(charts.Series(x, y, name, colour))
        series.append(charts.Series(x, y, "", colour, marks=True))
    axes = (charts.Axis("probability", 0, 1), charts.Axis("share that is so", 0, 1))
    return charts.plot(*axes, series, f"Reliability of the probabilities of {what}")

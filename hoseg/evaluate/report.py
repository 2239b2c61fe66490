"""The reports, of a model and of two readers: which figures, tables and charts stand where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hoseg.evaluate import charts
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.case import BINS, CLASSES, CaseScore, HipScore
from hoseg.evaluate.figures import (
    ALL,
    FALSE_KINDS,
    SEVERE,
    SIZES,
    Figure,
    class_probabilities,
    confidence,
    film_has_ho,
    hip_has_ho,
    lookup,
)
from hoseg.evaluate.gallery import gallery
from hoseg.evaluate.page import (
    Chart,
    FigureCard,
    Page,
    Section,
    TextTable,
    cell,
    interval,
    number,
    words,
)
from hoseg.evaluate.read_figures import FILM_FIGURES, HIP_FIGURES
from hoseg.evaluate.read_report import RULES as READ_RULES
from hoseg.evaluate.read_report import read_sections
from hoseg.evaluate.readers import Agreement
from hoseg.radiograph import STRUCTURES
from hoseg.words import BROOKER

HEADLINES = (
    ("pelvis.dice_mean", "Pelvis, Dice"),
    ("femur.dice_mean", "Femur, Dice"),
    ("implant.dice_mean", "Implant, Dice"),
    ("implant.dice_mean_1cm2", "Implant, Dice, films with ≥ 1 cm²"),
    ("ho.dice_median_hips_1cm2", "HO, median Dice, hips ≥ 1 cm²"),
    ("ho.lesion_f1", "HO lesions ≥ 0.25 cm², F1"),
    ("ho.false_per_image_without_ho", "False HO a film without HO"),
    ("class.kappa_quadratic", "Class, quadratic kappa"),
    ("class.severe_auc", "Severe (III–IV), AUC"),
    *HIP_FIGURES,
    *FILM_FIGURES,
)
_FAILED_SHOWN = 50
_LARGEST = 60  # disagreements of readers listed
RULES: tuple[str, ...] = (
    "Dice, NSD and HD95 compare a structure only on films where it is truly present. Present but "
    "not predicted at all: Dice 0, NSD 0, HD95 the diagonal of the film. Truly absent: undefined, "
    "left out of means, and counted as false area instead.",
    "NSD is the share of both outlines that lie within 2 mm of the other one; HD95 is the larger "
    "of the two 95th percentiles of outline distances, in mm at the plane of the hip.",
    "Ossification is scored where it is visible; ossification that exists but cannot be seen is "
    "neither missed nor false. Pixels outside the exposed field, and those a reader marked as "
    "don't-care, are not scored; what is painted outside the field is reported as an area of its "
    "own, on films whose truth knows their border.",
    "Small pieces of metal (a clip of 5 mm²) count as implant, and Dice punishes a missed one like "
    "a missed prosthesis. So the Dice over films with at least 1 cm² is given beside the mean.",
    "Off bone and over bone: the part of the ossification outside, and inside, the true outlines "
    "of pelvis and femur. A lesion is over bone when at least half of it is.",
    "A lesion is a connected component of at least 0.25 cm². A true one is found when 20 % of it "
    "are covered; a predicted one is false unless 20 % of it lie on true ossification. F1 is the "
    "harmonic mean of sensitivity (true lesions) and precision (predicted lesions).",
    "Detection (ROC): a film or hip counts as positive with a visible lesion of at least 0.25 cm², "
    "as negative without visible ossification; what lies between is left out. With grades alone, "
    "positive means a class above 0.",
    "On a film with two hips, every pixel belongs to the hip whose femoral head is nearer. A hip "
    "the model did not find, or refused to grade, counts as abstained: it is in no confusion "
    "matrix, and its share is reported.",
    "Kappa is Cohen's; quadratic weights count a disagreement by the square of its size; it is "
    "left out where only one true class occurs, because it is 0 there by definition. Severe is III "
    "or IV; its AUC uses the probability of III plus that of IV, and where hips tie, the expected "
    "class. The AUC of the true masks uses their class and, within a class, the narrower gap: what "
    "the rules alone reach with perfect masks. Calibrated probabilities can order hips better than "
    "that.",
    "Data sets judged together that differ in prevalence spread the classes wider than each of "
    "them: kappa over all can then exceed that of every single one. Judge it set by set.",
    "The class is the one the rules give. The likeliest class is the one with the highest "
    "probability; where a model brings calibrated probabilities the two can differ. Risk against "
    "coverage orders hips by the probability of the class that was given.",
    "The Brier score of the class adds the squared errors of its five probabilities; the expected "
    "calibration error uses ten bins of equal width.",
    "Limits of agreement are bias -/+ 1.96 standard deviations of predicted less true gap, over "
    "hips with a true gap (a bridge has none; one predicted where there is a gap counts as 0 mm).",
    "Intervals are 95 % percentile intervals of a bootstrap that resamples patients, with all "
    "their films and hips, and the same resamples for every figure. No interval is given for a "
    "single patient, or where the figure is undefined in most resamples.",
)
"""The rules behind the figures, as the report prints them."""


def model_page(
    cases: Sequence[CaseScore],
    figures: Sequence[Figure],
    facts: tuple[tuple[str, str], ...],
    out: Path,
) -> Page:
    """Lay out the report of one model on one data set.

    Parameters
    ----------
    cases : judged films, failed ones included
    figures : what ``summarise`` made of them
    facts : lines under the title, e.g. ("model", "adult-v1@ab12")
    out : folder below which the small pictures lie
    """
    judged = [case for case in cases if not case.error]
    hips = [hip for case in judged for hip in case.hips]
    masked = any(case.overlaps for case in judged)
    sections = [_headline(figures)]
    if masked:
        sections += [_structures(judged, figures), _lesions(judged, hips, figures)]
    if any(hip.truth is not None for hip in hips):
        sections += [_classes(hips, figures), _abstention(hips, figures)]
    sections += [_gap(hips, figures), _calibration(judged, hips, figures), _subgroups(figures)]
    sections += read_sections(judged, figures, out)
    outlined = [case for case in judged if case.read is None]
    sections += [gallery(outlined, out)] if outlined else []
    rules = (
        *(RULES if outlined else RULES[-1:]),
        *(READ_RULES if len(outlined) < len(judged) else ()),
    )
    sections += [_failures(cases), Section("How the figures are defined", points=rules)]
    shown = tuple(s for s in sections if s.cards or s.charts or s.grids or s.pictures or s.points)
    return Page("How a model reads hip radiographs", facts, shown)


def _headline(figures: Sequence[Figure]) -> Section:
    cards = []
    for name, title in HEADLINES:
        figure = lookup(figures, name)
        if figure is not None and figure.estimate.value is not None:
            found = figure.estimate
            cards.append(
                FigureCard(
                    title,
                    number(found.value, figure.unit),
                    interval(found, figure.unit),
                    f"n {found.n}, {found.patients} patients",
                )
            )
    lead = "Below each figure: its 95 % interval from a bootstrap over patients, and its rows."
    return Section("In short", lead, cards=tuple(cards))


def _structures(cases: Sequence[CaseScore], figures: Sequence[Figure]) -> Section:
    kinds = (
        "dice_mean", "dice_median", "dice_mean_1cm2", "nsd_mean", "hd95_median", "false_area_mean",
    )  # fmt: skip
    head = (
        "", "Dice, mean", "Dice, median", "Dice, mean from 1 cm²", "NSD at 2 mm",
        "HD95 (mm), median",
    )  # fmt: skip
    rows = []
    for name in (*STRUCTURES, "ossification_off_bone", "ossification_over_bone"):
        cells = (cell(lookup(figures, f"{name}.{kind}")) for kind in kinds)
        rows.append((words(name), *cells))
    strips = []
    for name in STRUCTURES:
        found = [row.dice for case in cases if (row := case.overlap(name))]
        strips.append((words(name), [d for d in found if d is not None]))
    chart = Chart(
        charts.strips(strips, charts.Axis("", 0.0, 1.0), "Dice of every film by structure"),
        "Dice of every film",
        "A dot is a film; the lines are the median and the middle half. At most 400 dots a strip.",
    )
    lead = (
        "Films on which the structure is truly present; what was painted where it is absent is "
        "the false area. Ossification is scored where it is visible."
    )
    grids = [TextTable((*head, "false area where absent (mm²)"), tuple(rows))]
    border = lookup(figures, "outside_field.area_mean")
    if border is not None:
        clean = lookup(figures, "outside_field.films_kept_clean")
        names = ("painted outside the exposed field (mm²)", "films with less than 0.25 cm² there")
        grids.append(TextTable(names, ((cell(border), cell(clean)),)))
    return Section("Structures", lead, charts=(chart,), grids=tuple(grids))


def _lesions(
    cases: Sequence[CaseScore], hips: Sequence[HipScore], figures: Sequence[Figure]
) -> Section:
    strata = [ALL, "place: off bone", "place: over bone", *(f"size: {size}" for size in SIZES[1:])]
    names = ("ho.lesion_sensitivity", "ho.lesion_precision", "ho.lesion_f1")
    rows = [
        (
            words(s),
            *(cell(lookup(figures, name, s)) for name in names),
            cell(lookup(figures, f"ho.{false}")),
            _rows(figures, s),
        )
        for s, false in zip(strata, ("false_per_image", *FALSE_KINDS), strict=True)
        if lookup(figures, "ho.lesion_f1", s)
    ]
    lesion = TextTable(
        ("lesions", "sensitivity", "precision", "F1", "false a film", "true / predicted"),
        tuple(rows),
    )
    per_film = tuple(
        (title, cell(figure), str(figure.estimate.n))
        for name, title in (
            ("ho.false_per_image_without_ho", "false lesions a film, films without HO"),
            ("ho.films_without_ho_kept_clean", "share of films without HO kept clean"),
            ("ho.auc_image", "HO on the film or not, AUC"),
            ("ho.auc_hip", "HO at the hip or not, AUC"),
        )
        if (figure := lookup(figures, name))
    )
    series = []
    for label, colour, scored in (
        ("per film", charts.BLUE, [(c.ho_score, film_has_ho(c)) for c in cases]),
        ("per hip", charts.VERMILION, [(h.ho_score, hip_has_ho(h)) for h in hips]),
    ):
        known = [(s, y) for s, y in scored if s is not None and y is not None]
        if len({y for _, y in known}) == 2:
            x, y = stats.roc_curve([s for s, _ in known], [y for _, y in known])
            series.append(charts.Curve(x, y, label, colour))
    axes = (charts.Axis("false-positive rate", 0, 1), charts.Axis("sensitivity", 0, 1))
    roc = Chart(
        charts.plot(*axes, series, "ROC of detecting ossification", diagonal=True),
        "Detecting ossification (ROC)",
        "Score: the probability that the most suspect 0.25 cm² reach.",
    )
    grids = (lesion, TextTable(("film by film", "value", "films or hips"), per_film))
    shown = (roc,) if series else ()
    return Section("Ossification, lesion by lesion", charts=shown, grids=grids)


def _rows(figures: Sequence[Figure], stratum: str) -> str:
    counts = []
    for name in ("ho.lesion_sensitivity", "ho.lesion_precision"):
        figure = lookup(figures, name, stratum)
        counts.append(str(figure.estimate.n if figure else 0))
    return " / ".join(counts)


def _classes(hips: Sequence[HipScore], figures: Sequence[Figure]) -> Section:
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
            svg = charts.matrix(counts, BROOKER, "truth", "predicted")
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
    return Section("Classes", lead, charts=tuple(shown), grids=(TextTable(head, rows),))


def _abstention(hips: Sequence[HipScore], figures: Sequence[Figure]) -> Section:
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
    grids = [TextTable(("", "value"), facts)]
    if rows:
        grids.append(TextTable(("reason for abstaining", "hips"), rows))
    sure = confidence(graded)
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
            [charts.Curve(share, risk[0])],
            "Risk against coverage",
        )
        caption = (
            "Surest answers first, by the probability of the class that was given; the curve ends "
            "where the model abstains on the rest."
        )
        shown = (Chart(svg, "Risk and coverage", caption),)
    return Section("Abstention", charts=shown, grids=tuple(grids))


def _gap(hips: Sequence[HipScore], figures: Sequence[Figure]) -> Section:
    """Bland-Altman plots and their figures, against the truth and against the true masks."""
    plots = [
        _bland_altman(figures, kind, title, [(getattr(h, key), h.predicted_gap_mm) for h in hips])
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
    return Section("Gap between opposing bone", lead, charts=shown, grids=(TextTable(head, rows),))


def _bland_altman(
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
    svg = charts.plot(
        charts.Axis("mean of both gaps (mm)", zero=True),
        charts.Axis(difference, zero=True),
        [charts.Curve(middle, error, line=False, dots=True)],
        f"Bland-Altman plot of the gap, {title.lower()}",
        levels=lines,
    )
    caption = f"{len(known)} hips. Dashed: bias and 95 % limits of agreement."
    return Chart(svg, title, caption)


def _calibration(
    cases: Sequence[CaseScore], hips: Sequence[HipScore], figures: Sequence[Figure]
) -> Section:
    """Reliability of hips and of pixels."""
    shown = []
    p = class_probabilities(hips)
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
    grids = (TextTable(("", "value"), tuple(rows)),) if rows else ()
    return Section("Calibration", lead, charts=tuple(shown), grids=grids)


def _reliability(lines: Sequence[tuple[str, np.ndarray]], what: str) -> str:
    series = []
    for (name, sums), colour in zip(lines, charts.PALETTE, strict=False):
        count = np.where(sums[:, 0] > 0, sums[:, 0], np.nan)
        x, y = sums[:, 1] / count, sums[:, 2] / count
        series.append(charts.Curve(x, y, name, colour, dots=True))
    axes = (charts.Axis("probability", 0, 1), charts.Axis("share that is so", 0, 1))
    label = f"Reliability of the probabilities of {what}"
    return charts.plot(*axes, series, label, diagonal=True)


def _subgroups(figures: Sequence[Figure]) -> Section:
    shown = []
    for name, title in HEADLINES:
        rows = [
            (words(f.stratum), f.estimate.value, f.estimate.low, f.estimate.high, f.estimate.n)
            for f in figures
            if f.name == name and f.estimate.value is not None
        ]
        if len(rows) < 2:
            continue
        limits = [v for _, value, low, high, _ in rows for v in (value, low, high) if v is not None]
        axis = charts.Axis("", max(0.0, np.floor(10 * min(limits) - 0.5) / 10), 1.0)
        if "false" in name or min(limits) < 0:
            axis = charts.Axis(zero=True)
        shown.append(Chart(charts.forest(rows, axis, f"{title} by subgroup"), title))
    lead = (
        "Every headline figure by class, implant, size, view and maturity, with its interval. "
        "All other figures by subgroup are in metrics.json."
    )
    return Section("By subgroup", lead if shown else "", charts=tuple(shown))


def _failures(cases: Sequence[CaseScore]) -> Section:
    failed = [case for case in cases if case.error]
    rows = tuple((case.case, case.error) for case in failed[:_FAILED_SHOWN])
    if not rows:
        return Section("Films that could not be judged")
    lead = f"{len(failed)} of {len(cases)}; all of them are in cases.csv."
    return Section(
        "Films that could not be judged", lead, grids=(TextTable(("film", "why"), rows),)
    )


def readers_page(found: Agreement, first: str, second: str) -> Page:
    """Lay out the agreement of two readers, called ``first`` and ``second``."""
    figures = found.figures
    titles = (
        ("class.kappa_quadratic", "quadratic-weighted kappa"),
        ("class.kappa_plain", "plain kappa"),
        ("class.exact", "exact"),
        ("class.within_one", "within one class"),
        ("class.severe_kappa", "severe (III–IV) or not, kappa"),
        ("class.severe_agreement", "severe (III–IV) or not, same"),
        ("gap.bias", f"gap, {second} less {first} (mm)"),
        ("gap.limit_low", "gap, lower limit of agreement (mm)"),
        ("gap.limit_high", "gap, upper limit of agreement (mm)"),
    )
    rows = tuple(
        (title, cell(figure)) for name, title in titles if (figure := lookup(figures, name))
    )
    matrix = Chart(charts.matrix(found.matrix, BROOKER, first, second), "Brooker classes")
    gaps = _bland_altman(
        figures,
        "gap",
        "Gap",
        [(a.gap_mm, b.gap_mm) for a, b in found.pairs],
        f"{second} less {first} (mm)",
    )
    apart = sorted(
        ((abs((a.brooker or 0) - (b.brooker or 0)), a, b) for a, b in found.pairs),
        key=lambda row: (-row[0], row[1].image, row[1].side),
    )
    listed = tuple(
        (a.image, a.side.value, BROOKER[a.brooker or 0], BROOKER[b.brooker or 0])
        for distance, a, b in apart[:_LARGEST]
        if distance
    )
    facts = (
        ("readers", f"{first} and {second}"),
        ("hips", f"{len(found.pairs)} graded by both"),
        ("patients", str(len({a.patient for a, _ in found.pairs}))),
        ("graded by one only", f"{found.only_first} and {found.only_second} hips"),
    )
    lead = (
        "Values with 95 % intervals from a bootstrap over patients. Published agreement of human "
        "readers on Brooker classes: kappa 0.43 (6 readers) and 0.40 to 0.60 (3 readers)."
    )
    sections = [
        Section(
            "Agreement",
            lead,
            charts=(matrix, *((gaps,) if gaps else ())),
            grids=(TextTable(("", "value"), rows),),
        )
    ]
    if listed:
        head = ("image", "side", first, second)
        sections.append(Section("Hips to look at together", grids=(TextTable(head, listed),)))
    return Page("How two readers agree", facts, tuple(sections))

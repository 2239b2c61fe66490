"""The page a study: what it says, that it is escaped, that it prints on one sheet."""

import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from hoseg.radiograph import Note, Side
from hoseg.report.document import FilmPicture, draw_picture, render_study, write_documents
from hoseg.report.schema import read_result, result_for_image, to_json

from .samples import (
    COLUMNS,
    NO_CLASS,
    ROWS,
    STUDY,
    hip,
    radiograph,
    result,
    source_dataset,
    two_hip_masks,
    write_run,
)

EVIL = '<script>alert("x")</script>'


def text_of(page):
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def page(**changes):
    source = source_dataset()
    return render_study([FilmPicture(result(source, **changes), None, two_hip_masks())])


def test_it_reads_like_a_structured_report():
    text = text_of(page())
    for words in (
        "Right hip",
        "Left hip",
        "Side right and left",
        "Quality Sufficient to grade.",
        "71 years",
        "Brooker III",
        "III, gap between opposing bone surfaces 8.7 mm; II from 10.0 mm",
        "8.7 mm (95 % interval 7.9-9.6)",
        "lateral, supra-acetabular: 18 mm long, 144 mm²; attached to pelvis",
        "mature discrete",
        "AP pelvis",
        "ASSUMED magnification",
        "Implant right",
        "Della Valle C",
        "consider a lateral view or CT",
        "Research use only. Not a medical device.",
        "no earlier film",
        "2019-06-11",
    ):
        assert words in text, words


def test_abstention_says_why():
    abstained = hip(
        Side.LEFT, **NO_CLASS, abstained="hip_cropped", at_least=2,
        abstained_because="The trochanter lies outside the film.",
    )  # fmt: skip
    facts = result_for_image(
        radiograph(source_dataset(), "f"), [abstained], status="abstained", sentence="Cropped."
    )
    text = text_of(render_study([FilmPicture(facts)]))
    assert "No class" in text
    assert "The trochanter lies outside the film." in text
    assert "at least class II from what is visible" in text
    assert "Brooker III" not in text


def test_values_are_escaped():
    source = source_dataset(PatientID=EVIL)
    facts = result(source)
    facts = facts.model_copy(
        update={
            "image": facts.image.model_copy(update={"description": EVIL, "study_uid": EVIL}),
            "sentence": EVIL,
            "status": "abstained",
            "hips": [facts.hips[0].model_copy(update={"summary": EVIL, "abstained": EVIL})],
        }
    )
    written = render_study([FilmPicture(facts)])
    assert "<script" not in written
    assert "&lt;script&gt;" in written
    assert "default-src 'none'" in written  # and nothing could run or load if it did


def test_it_fetches_nothing():
    written = page()
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!data:)", written)
    assert "url(" not in written


def test_prior_is_compared():
    old = result(source_dataset(), gap_mm=12.4, gap_interval_mm=(11.2, 13.6))
    old = old.model_copy(update={"image": old.image.model_copy(update={"study_date": "20180104"})})
    text = text_of(render_study([FilmPicture(result(source_dataset()))], [old]))
    assert "2018-01-04: Brooker III, gap 12.4 mm (95 % interval 11.2-13.6)" in text
    assert "; change of the gap \N{MINUS SIGN}3.7 mm" in text
    assert "3.7 mm, within the intervals" not in text


def test_a_change_within_the_intervals_is_called_so():
    old = result(source_dataset(), gap_mm=9.2, gap_interval_mm=(8.3, 10.1))
    old = old.model_copy(update={"image": old.image.model_copy(update={"study_date": "20180104"})})
    text = text_of(render_study([FilmPicture(result(source_dataset()))], [old]))
    assert "change of the gap \N{MINUS SIGN}0.5 mm, within the intervals" in text


def test_a_closed_gap_is_no_measured_one():
    shown = {"gap_mm": 0.0, "gap_points_px": None}
    text = text_of(page(**shown, gap_interval_mm=(0.0, 0.0)))
    assert "Gap closed " in text
    assert "interval 0.0-0.0" not in text
    assert "closed (95 % interval 0.0-4.1)" in text_of(page(**shown, gap_interval_mm=(0.0, 4.1)))


def test_percentages_sum_to_a_hundred_and_draws_are_not_called_calibrated():
    chances = {"brooker": (0.0, 0.195, 0.0, 0.0, 0.0)}
    text = text_of(page(class_probabilities=chances, class_probabilities_from="draws"))
    assert "I: 20 %" in text
    assert "undecided: 80 %" in text
    assert "not calibrated probabilities" in text
    model = text_of(
        page(
            class_probabilities={"brooker": (0.336, 0.336, 0.328, 0.0, 0.0)},
            class_probabilities_from="model",
        )
    )
    assert "0: 34 % I: 33 % II: 33 % III: 0 % IV: 0 %" in " ".join(model.split())
    assert "undecided" not in model


def test_the_legend_names_what_is_drawn(tmp_path):
    facts = result(source_dataset(), gap_points_px=None)
    facts = facts.model_copy(update={"hips": facts.hips[:1]})
    bones = two_hip_masks() & np.uint8(3)
    written = render_study([FilmPicture(facts, b"\xff\xd8", bones)])
    legend = written[written.index('<p class="legend">') :].partition("</p>")[0]
    assert [n for n in ("pelvis", "femur", "implant", "ossification", "gap") if n in legend] == [
        "pelvis",
        "femur",
    ]


def test_a_graded_film_does_not_tell_a_clinician_what_the_attributes_say():
    facts = result(source_dataset())
    notes = (Note("side_both", "Both hips, as the attributes say."), Note("x", "Kept."))
    facts = facts.model_copy(update={"notes": notes})
    text = text_of(render_study([FilmPicture(facts)]))
    assert "Sufficient to grade. Kept." in " ".join(text.split())
    assert "attributes say" not in text


def test_an_assumed_side_and_a_view_that_is_not_stated_are_said():
    text = text_of(page(side_source="assumed", provisional=("view_unknown",)))
    assert "ASSUMED: nothing states how the film lies" in text
    assert "Provisional view not stated" in " ".join(text.split())


def test_the_class_rests_on_words_where_no_other_is_near():
    text = text_of(
        page(
            classes={"brooker": 0}, counterfactuals={}, summary="0: no ossification", components=()
        )
    )
    assert "Class rests on no ossification" in text


def test_the_picture_is_cut_to_the_bones_and_marks_gap_and_sides(tmp_path):
    run = write_run(tmp_path, films=1)
    (folder,) = run.glob("studies/*/*")
    facts = read_result(folder / "result.json")
    masks = two_hip_masks()
    cv2.imwrite(str(folder / "film.jpg"), np.full(masks.shape, 90, np.uint8))
    shown = cv2.imdecode(
        np.frombuffer(draw_picture(folder, facts, masks), np.uint8), cv2.IMREAD_COLOR
    )
    margin = 20  # 8 % of the longer side of the box round the bones: columns 40 to 289
    assert shown.shape[:2] == (240 - (30 - margin), 250 + 2 * margin)
    top, left = 30 - margin, 40 - margin
    (row_a, column_a), (row_b, column_b) = facts.hips[0].gap_points_px
    middle = shown[round((row_a + row_b) / 2) - top, round((column_a + column_b) / 2) - left]
    assert middle.min() > 200  # white
    assert shown[:60, :60].max() > 240  # a letter in either corner
    assert shown[:60, -60:].max() > 240


def test_the_overlay_stands_in_for_a_film_that_is_gone(tmp_path):
    run = write_run(tmp_path, films=1)
    (folder,) = run.glob("studies/*/*")
    facts = read_result(folder / "result.json")
    assert draw_picture(folder, facts, None) is not None
    (folder / "overlay.png").unlink()
    assert draw_picture(folder, facts, two_hip_masks()) is None


def test_one_page_a_study_is_written(tmp_path):
    run = write_run(tmp_path)
    (path,) = write_documents(run)
    assert path == run / "studies" / STUDY / "report.html"
    written = path.read_text(encoding="utf-8")
    assert written.count("data:image/jpeg;base64,") == 2
    assert "Film 2" in written


def test_films_without_study_uid_have_a_page_each(tmp_path):
    run = write_run(tmp_path)
    (run / "studies" / STUDY).rename(run / "studies" / "no-study")
    for path in run.glob("studies/*/*/result.json"):
        path.write_text(path.read_text().replace(f'"study_uid": "{STUDY}"', '"study_uid": ""'))
    pages = write_documents(run)
    assert [page.parent.name for page in pages] == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    for page in pages:
        assert page.read_text(encoding="utf-8").count("data:image/jpeg;base64,") == 1


def test_priors_are_found_within_a_run(tmp_path):
    run = write_run(tmp_path, films=1)
    old = result(source_dataset(), gap_mm=11.0, gap_interval_mm=None)
    old = old.model_copy(update={"image": old.image.model_copy(update={"study_date": "20170101"})})
    other = old.model_copy(
        update={
            "image": old.image.model_copy(update={"patient_id": "P-0816", "study_date": "20180101"})
        }
    )
    for name, facts in (("old", old), ("other", other)):
        folder = run / "studies" / name / "film"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(to_json(facts))
    write_documents(run)
    text = text_of((run / "studies" / STUDY / "report.html").read_text(encoding="utf-8"))
    assert "2017-01-01: Brooker III, gap 11.0 mm" in text
    assert "2018-01-01" not in text


@pytest.mark.tools
def test_it_prints_on_one_sheet(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or shutil.which("pdftotext") is None:
        pytest.skip("Chromium or pdftotext is not installed")
    run = write_run(tmp_path, films=1)
    (folder,) = run.glob("studies/*/*")
    cv2.imwrite(str(folder / "film.jpg"), np.full((ROWS, COLUMNS), 90, np.uint8))
    words = (
        "one view cannot tell a bridge from superimposition; consider a lateral view or CT, " * 2
    )
    caveats = tuple(Note(f"caveat_{k}", words) for k in range(5))
    facts = result(source_dataset(), caveats=caveats)
    remarks = [Note("x", words) for _ in range(5)]
    facts = facts.model_copy(update={"hips": [facts.hips[0]] * 2, "notes": remarks})
    (folder / "result.json").write_text(to_json(facts))
    (path,) = write_documents(run)
    pdf = tmp_path / "report.pdf"
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-pdf-header-footer",
        f"--user-data-dir={tmp_path}/profile",
        f"--print-to-pdf={pdf}",
        path.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    text = subprocess.run(
        ["pdftotext", "-layout", str(pdf), "-"], check=True, capture_output=True, text=True
    ).stdout
    assert text.count("\f") == 1
    assert "Brooker III" in text
    assert "Research use only." in text

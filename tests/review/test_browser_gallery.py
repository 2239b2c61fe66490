"""The page from disk in a real Chromium, and its gallery."""

import csv
import io
from pathlib import Path

import cv2
import numpy as np

from hoseg.datasets import open_dataset
from hoseg.radiograph import Structure
from hoseg.report.schema import ResultFile, SourceImage
from hoseg.review.exports import export_dataset
from hoseg.review.imports import import_corrections
from hoseg.review.page import PAGE, write_page

from .films import ABSTAINED, CURRENT, FILMS, HOSTILE, PRIOR, SCRIPT, SINGLE, as_exported
from .pages import IN_BROWSER, cards, names, on_screen, open_case, painted, wait_history

pytestmark = IN_BROWSER


def test_it_opens_from_disk_without_any_network(from_disk, run):
    page = from_disk
    assert page.locator(".card").count() == len(FILMS)
    open_case(page, CURRENT)
    assert page.evaluate("app.current.viewer.image.naturalWidth") == 662
    assert page.locator(".view").count() == 2
    page.wait_for_timeout(200)
    assert page.asked
    assert all(url.startswith(("file://", "data:")) for url in page.asked)


def test_grades_from_disk_stay_in_the_browser_and_can_be_downloaded(from_disk):
    page = from_disk
    open_case(page, CURRENT)
    page.keyboard.press("3")
    assert "your name" in page.locator("#message").inner_text()
    page.fill("#reader", '=Ada "A"')
    page.keyboard.press("Escape")
    for key in ("3", "2", "h", "1"):
        page.keyboard.press(key)
    wait_history(page, 3)
    page.reload()
    open_case(page, CURRENT)
    wait_history(page, 3)
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my grades").click()
    text = Path(download.value.path()).read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["side"], row["brooker"]) for row in rows] == [("right", "2"), ("left", "1")]
    assert {row["patient"] for row in rows} == {CURRENT.patient}
    assert {row["reader"] for row in rows} == {'\'=Ada "A"'}
    assert rows[0]["image"].endswith("current.dcm")
    assert rows[0]["sop_uid"] == Path(CURRENT.folder).name


def test_the_loop_closes_from_disk(from_disk, run, tmp_path):
    """Paint without a server, reload, download, import, and find the mask in a dataset."""
    page = from_disk
    page.fill("#reader", "Ada")
    open_case(page, SINGLE)
    masks = cv2.imread(str(run / SINGLE.folder / "masks.png"), cv2.IMREAD_UNCHANGED)
    before = (masks & np.uint8(Structure.OSSIFICATION)) > 0
    assert painted(page) == before.sum() > 0  # from case.js: pixels of files are out of reach
    page.keyboard.press("Escape")
    open_case(page, SINGLE)
    page.keyboard.press("b")
    page.mouse.click(*on_screen(page, 40, 20))
    page.keyboard.press("s")
    page.keyboard.press("2")
    wait_history(page, 2)
    more = painted(page)
    assert more > before.sum()
    page.reload()
    open_case(page, SINGLE)
    assert painted(page) == more
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all corrections").click()
    path = tmp_path / "corrections.json"
    download.value.save_as(path)
    assert import_corrections(run, path, {film.folder for film in FILMS}) == (2, 0)
    assert export_dataset(run, tmp_path / "data") == 1
    (film,) = open_dataset(tmp_path / "data").films
    after = as_exported(SINGLE, (film.read().masks & np.uint8(Structure.OSSIFICATION)) > 0)
    assert after.sum() == more
    assert after[before].all()
    assert after[40, 20]


def test_what_needs_a_person_comes_first(from_disk):
    assert cards(from_disk)[0] == names([ABSTAINED])[0]
    assert cards(from_disk)[-1] == names([PRIOR])[0]
    assert set(cards(from_disk)) == set(names(FILMS))


def test_filters(from_disk):
    for label, option, films in (
        ("Status", "abstained", [ABSTAINED]),
        ("Class", "Brooker IV", [SINGLE]),
        ("Class", "Brooker II", [CURRENT]),
        ("Implant", "without", [ABSTAINED, PRIOR]),
        ("Class", "severe: III or IV", [CURRENT, HOSTILE, SINGLE]),
        ("View", "AP hip", [ABSTAINED, SINGLE]),
        ("Review", "done", []),
    ):
        choice = from_disk.get_by_role("combobox", name=label, exact=True)
        choice.select_option(label=option)
        assert set(cards(from_disk)) == set(names(films))
        said = from_disk.locator(".filters").inner_text()
        assert f"{len(films)} of {len(FILMS)} images" in said
        choice.select_option(label="all")


def test_search_by_patient(from_disk):
    from_disk.get_by_label("Patient or study").fill("p-0815")
    assert set(cards(from_disk)) == set(names([CURRENT, PRIOR]))


def test_a_hostile_patient_is_shown_as_text(from_disk):
    page = from_disk
    assert SCRIPT in page.locator("#gallery").inner_text()
    open_case(page, HOSTILE)
    assert SCRIPT in page.locator("#case").inner_text()
    assert page.evaluate("document.querySelectorAll('script').length") == 1


def test_the_gallery_by_keyboard(from_disk):
    page = from_disk
    for key in ("j", "j", "k", "j", "Enter"):
        page.keyboard.press(key)
    page.wait_for_function("() => app.current")
    second = cards(page)[1]
    assert page.evaluate("location.hash").endswith(second)
    page.keyboard.press("Escape")
    page.wait_for_function("() => !app.current")
    focused = page.evaluate("document.activeElement.querySelector('img').getAttribute('src')")
    assert second in focused


def test_two_thousand_images_are_drawn_in_portions(tab, tmp_path):
    write_many(tmp_path, 2000)
    tab.goto((tmp_path / PAGE).as_uri())
    assert tab.locator(".card").count() < 200
    assert "2000 of 2000 images" in tab.locator(".filters").inner_text()
    tab.evaluate("app.gallery.focus('studies/1/1999')")
    assert tab.locator(".card").count() == 2000
    assert "studies/1/1999" in tab.evaluate("document.activeElement.innerHTML")
    tab.get_by_label("Patient or study").fill("P-77")
    assert tab.locator(".card").count() == 11
    tab.get_by_label("Patient or study").fill("")
    tab.evaluate("document.querySelector('#gallery').scrollTop = 1e9")
    tab.wait_for_function("() => document.querySelectorAll('.card').length > 60")
    tab.said.clear()  # there are no thumbnails


def write_many(folder, count):
    shown = {"rows": 4, "columns": 4, "side": "left", "view": "ap_hip", "columns_to": "left"}
    images = [
        ResultFile(
            source=f"{n}.dcm",
            folder=f"studies/1/{n}",
            status="graded",
            image=SourceImage(patient_id=f"P-{n}", **shown),
        )
        for n in range(count)
    ]
    write_page(folder, images)

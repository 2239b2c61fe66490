"""The page from disk in a real Chromium, and its gallery."""

import csv
import io
from pathlib import Path

from hoseg.report.review.page import PAGE, write_page
from hoseg.report.tables import IMAGE_COLUMNS

from .films import ABSTAINED, CURRENT, FILMS, HOSTILE, PRIOR, SCRIPT, SINGLE
from .pages import IN_BROWSER, cards, names, open_case

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
    page.reload()
    open_case(page, CURRENT)
    assert page.locator(".history li").count() == 3
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
        ("View", "ap hip", [ABSTAINED, SINGLE]),
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
    blank = {column.name: "" for column in IMAGE_COLUMNS}
    facts = {"status": "graded", "view": "ap_hip", "side": "left"}
    rows = [
        blank | facts | {"folder": f"studies/1/{n}", "patient_id": f"P-{n}"} for n in range(count)
    ]
    write_page(folder, rows, [])

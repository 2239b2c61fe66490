"""Correcting the mask in a real Chromium."""

import cv2
import imagecodecs
import numpy as np
import pytest

from hoseg.radiograph import Structure
from hoseg.review.store import STORE, ReviewStore

from .films import ABSTAINED, CURRENT, SINGLE
from .pages import IN_BROWSER, on_screen, open_case, painted, saved, wait_saved

pytestmark = IN_BROWSER


def truth(page, film) -> np.ndarray:
    masks = cv2.imread(str(page.run / film.folder / "masks.png"), cv2.IMREAD_UNCHANGED)
    return (masks & Structure.OSSIFICATION) > 0


def last_mask(page, film) -> np.ndarray:
    with ReviewStore(page.run / STORE) as store:
        return imagecodecs.png_decode(store.latest_mask(film.folder))[..., 3] > 0


def test_an_untouched_mask_comes_back_as_it_was(served):
    open_case(served, CURRENT)
    served.keyboard.press("s")
    wait_saved(served, 1)
    assert np.array_equal(last_mask(served, CURRENT), truth(served, CURRENT))


def test_painting_and_erasing_by_mouse(served):
    page = served
    open_case(page, SINGLE)
    before = truth(page, SINGLE)
    page.keyboard.press("b")
    start, end = on_screen(page, 40, 20), on_screen(page, 40, 60)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=8)
    page.mouse.up()
    page.keyboard.press("s")
    wait_saved(page, 1)
    added = last_mask(page, SINGLE) & ~before
    rows, columns = np.nonzero(added)
    radius = page.evaluate("app.current.painter.radius")
    assert (rows.min(), rows.max()) == pytest.approx((40 - radius, 40 + radius), abs=1.5)
    assert (columns.min(), columns.max()) == pytest.approx((20 - radius, 60 + radius), abs=1.5)
    page.keyboard.press("e")
    for _ in range(8):
        page.keyboard.press(".")
    row, column = np.argwhere(before).mean(axis=0)
    page.mouse.click(*on_screen(page, row, column))
    page.keyboard.press("s")
    wait_saved(page, 2)
    after = last_mask(page, SINGLE)
    assert (after & before).sum() < 0.9 * before.sum()
    for _ in range(2):
        page.keyboard.press("z")
    assert painted(page) == before.sum()
    page.keyboard.press("s")
    wait_saved(page, 3)


def test_painting_by_keyboard(served):
    page = served
    open_case(page, ABSTAINED)
    page.keyboard.press("e")
    page.keyboard.press("b")
    before = painted(page)
    row, column = page.evaluate("app.current.painter.at")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press(" ")
    dot = painted(page)
    assert dot > before
    for _ in range(4):
        page.keyboard.press("Control+ArrowRight")
    assert painted(page) > dot
    a_pixel = 1 / min(1, page.evaluate("app.current.viewer.scale"))  # steps are of the screen
    moved = [row - 20 * a_pixel, column + 16 * a_pixel]
    assert page.evaluate("app.current.painter.at") == pytest.approx(moved)
    for _ in range(5):
        page.keyboard.press("z")
    assert painted(page) == before
    page.keyboard.press("Escape")
    assert page.evaluate("app.current.painter.mode") is None
    page.keyboard.press("s")
    wait_saved(page, 1)


def test_a_polygon_by_mouse_and_by_keyboard(served):
    page = served
    open_case(page, SINGLE)
    before = painted(page)
    page.keyboard.press("p")
    for row, column in ((20, 20), (20, 60), (60, 60), (60, 20)):
        page.mouse.click(*on_screen(page, row, column))
    page.keyboard.press("Enter")
    assert painted(page) - before == pytest.approx(1600, rel=0.05)
    page.evaluate("app.current.painter.at = [100, 20]")
    for key in (" ", "Shift+ArrowRight", " ", "Shift+ArrowDown", " ", "Enter"):
        page.keyboard.press(key)
    assert painted(page) - before == pytest.approx(1800, rel=0.06)
    page.keyboard.press("s")
    wait_saved(page, 1)


def test_a_missed_ossification_is_a_point(served):
    page = served
    open_case(page, SINGLE)
    page.keyboard.press("m")
    page.mouse.click(*on_screen(page, 50, 80))
    (entry,) = wait_saved(page, 1)
    assert (entry["kind"], entry["side"]) == ("missed_ossification", "left")
    assert [float(v) for v in entry["value"].split(",")] == pytest.approx([50, 80], abs=0.6)


def test_a_painted_mask_is_not_lost_by_going_on(served):
    page = served
    open_case(page, SINGLE)
    page.keyboard.press("b")
    page.keyboard.press(" ")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    (entry,) = wait_saved(page, 1)
    assert (entry["kind"], entry["image"]) == ("mask", SINGLE.folder)
    page.wait_for_function("id => app.current.data.id !== id", arg=SINGLE.folder)


def test_without_a_name_nothing_is_saved_and_nothing_is_lost(served):
    page = served
    page.fill("#reader", "")
    open_case(page, SINGLE)
    page.keyboard.press("b")
    page.keyboard.press(" ")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.wait_for_function("() => document.activeElement.id === 'reader'")
    assert page.evaluate("app.current.data.id") == SINGLE.folder
    assert saved(page.run) == []
    page.keyboard.type("Ada")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    wait_saved(page, 1)


def test_a_comment(served):
    page = served
    open_case(page, SINGLE)
    page.get_by_label("Comment").fill('<b>"lateral" view, 0 1 2 3</b>')
    page.get_by_role("button", name="Save comment").click()
    (entry,) = wait_saved(page, 1)
    assert entry["value"] == '<b>"lateral" view, 0 1 2 3</b>'
    page.wait_for_function("() => document.querySelector('.history').innerText.includes('<b>')")


def test_a_server_that_is_gone_is_said_so(served):
    page = served
    open_case(page, SINGLE)
    page.route("**/api/review", lambda route: route.abort())
    page.keyboard.press("4")
    page.locator("#message.bad").wait_for()
    assert "Not saved" in page.locator("#message").inner_text()
    page.said.clear()  # the browser's own line about the connection

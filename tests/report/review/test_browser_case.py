"""Reading and grading a case in a real Chromium."""

import json

import pytest

from .conftest import serving
from .films import ABSTAINED, CURRENT, FILMS, PRIOR, SINGLE
from .pages import IN_BROWSER, cards, names, on_screen, open_case, painted, wait_saved

pytestmark = IN_BROWSER


def test_keys_of_the_case(served):
    page = served
    open_case(page, CURRENT)
    view = page.locator(".view").first
    for key, name in (("o", "no-outlines"), ("g", "no-gap")):
        page.keyboard.press(key)
        assert name in view.get_attribute("class")
        page.keyboard.press(key)
        assert name not in view.get_attribute("class")
    page.keyboard.press("f")
    assert page.evaluate("app.current.painter.canvas.hidden")
    page.keyboard.press("f")
    page.keyboard.press("a")  # right: III
    wait_saved(page, 1)
    page.keyboard.press("h")
    page.keyboard.press("0")
    entries = wait_saved(page, 2)
    page.keyboard.press("x")
    entries = wait_saved(page, 3)
    page.keyboard.press("Enter")
    entries = wait_saved(page, 4)
    assert [(e["kind"], e["side"], e["value"]) for e in entries] == [
        ("grade", "right", "3"), ("grade", "left", "0"), ("false_ossification", "left", ""),
        ("sign", "", ""),
    ]  # fmt: skip
    assert {(e["reader"], e["image"]) for e in entries} == {("Ada", CURRENT.folder)}
    page.wait_for_function("() => document.querySelectorAll('.history li').length === 4")
    pressed = page.locator('.class[aria-pressed="true"]').all_inner_texts()
    assert pressed == ["III", "0"]
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Review", exact=True).select_option(label="done")
    assert cards(page) == names([CURRENT])


def test_next_and_previous(served):
    page = served
    order = cards(page)
    open_case(page, ABSTAINED)
    for key, expected in (("j", order[1]), ("j", order[2]), ("k", order[1]), ("k", order[0])):
        page.keyboard.press(key)
        page.wait_for_function("name => app.current?.data.id.endsWith(name)", arg=expected)
    page.keyboard.press("k")
    assert "first" in page.locator("#message").inner_text()


def test_the_trace_in_words(served):
    page = served
    open_case(page, CURRENT)
    box = page.get_by_role("article", name="Right hip")
    box.locator("summary").click()
    text = box.inner_text()
    result = json.loads((page.run / CURRENT.folder / "result.json").read_text())
    (right,) = [hip for hip in result["hips"] if hip["side"] == "right"]
    assert right["summary"] in text
    fired = [t["sentence"] for t in right["trace"] if t["fired"] and t["system"] == "brooker"]
    assert fired
    assert all(sentence in text for sentence in fired)


def test_the_prior_stands_beside_the_current(served):
    page = served
    open_case(page, CURRENT)
    page.wait_for_function("() => document.querySelectorAll('.view').length === 2")
    caption = page.locator(".view .caption").nth(1).inner_text()
    assert caption == "prior of 2018-03-05 · right 0, left 0"
    open_case(page, PRIOR)
    assert page.locator(".view").count() == 1


def test_zoom_pan_and_window(served):
    page = served
    open_case(page, SINGLE)
    state = lambda: page.evaluate("(({scale, x, y}) => [scale, x, y])(app.current.viewer)")  # noqa: E731
    start = state()
    x, y = on_screen(page, 100, 120)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.wait_for_function("scale => app.current.viewer.scale > 1.5 * scale", arg=start[0])
    assert on_screen(page, 100, 120) == pytest.approx((x, y), abs=1.5)  # zooms about the pointer
    before = state()
    page.mouse.down()
    page.mouse.move(x + 40, y - 25)
    page.mouse.up()
    assert state() == pytest.approx([before[0], before[1] + 40, before[2] - 25])
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("-")
    page.mouse.dblclick(x, y)
    assert state() == pytest.approx(start)
    slope = lambda: float(page.locator("#window feFuncR").get_attribute("slope"))  # noqa: E731
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x - 100, y)
    page.mouse.up(button="right")
    assert slope() > 1.3
    page.keyboard.press("i")
    assert slope() < -1.3
    page.keyboard.press("r")
    assert slope() == 1
    page.keyboard.press("w")
    assert slope() > 1


def test_a_blinded_reading(tab, run):
    with serving(run, blinded=True) as server:
        tab.run = run
        tab.goto(server.url)
        tab.fill("#reader", "Ada")
        assert cards(tab) == sorted(names(FILMS))
        assert tab.locator(".badge").count() == 0
        open_case(tab, CURRENT)
        assert tab.locator(".view").count() == 1
        assert tab.locator(".stage path").count() == 1  # the polygon being drawn
        assert painted(tab) == 0
        text = tab.locator("#case").inner_text()
        assert "gap" not in text.lower()
        assert "Probability" not in text
        assert "Blinded reading" in tab.locator("header").inner_text()
        for key in ("2", "h", "1"):
            tab.keyboard.press(key)
        entries = wait_saved(tab, 2)
        assert {(e["side"], e["value"]) for e in entries} == {("right", "2"), ("left", "1")}
        assert all(entry["blinded"] for entry in entries)

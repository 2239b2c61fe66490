"""Reading and grading a case in a real Chromium."""

import json

import pytest

from hoseg.review.store import STORE, Correction, ReviewStore

from .conftest import serving
from .films import ABSTAINED, CURRENT, FILMS, PRIOR, SINGLE
from .pages import (
    IN_BROWSER,
    cards,
    names,
    on_screen,
    open_case,
    painted,
    wait_history,
    wait_saved,
)

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
    box.get_by_text("Why", exact=True).click()
    text = box.inner_text()
    result = json.loads((page.run / CURRENT.folder / "result.json").read_text())
    (right,) = [hip for hip in result["hips"] if hip["side"] == "right"]
    assert right["summary"] in text
    rules = [t for t in right["trace"] if t["system"] == "brooker"]
    decides = next(t["sentence"] for t in rules if t["fired"])
    assert text.count("✓") == len({t["system"] for t in right["trace"]}) + 1  # and in its legend
    assert f"✓ {decides}" in text
    assert all(t["sentence"] in text for t in rules if t["conditions"])
    assert "nothing above fired" not in text


def test_the_prior_stands_beside_the_current(served):
    page = served
    open_case(page, CURRENT)
    page.wait_for_function("() => document.querySelectorAll('.view').length === 2")
    caption = page.locator(".view .caption").nth(1).inner_text()
    assert caption == "prior of 2018-03-05 · right 0, left 0"
    alone = "app.current.viewer.root.clientWidth"
    narrow = page.evaluate(alone)
    scales = "[app.current.viewer.scale, app.current.other.scale]"
    before = page.evaluate(scales)
    page.locator(".view").nth(1).focus()
    page.keyboard.press("+")  # the film that has the focus
    assert page.evaluate(scales) == pytest.approx([before[0], 1.25 * before[1]])
    page.keyboard.press("v")
    assert page.locator(".view:visible").count() == 1
    assert page.evaluate(alone) > 1.9 * narrow
    assert page.evaluate("document.activeElement === app.current.viewer.root")
    page.get_by_role("button", name="Prior V").click()
    assert page.locator(".view:visible").count() == 2
    open_case(page, PRIOR)
    assert page.locator(".view").count() == 1
    assert not page.get_by_role("button", name="Prior V").is_visible()
    page.keyboard.press("v")
    assert "no earlier film" in page.locator("#message").inner_text()


def test_what_was_said_can_be_withdrawn(served):
    page = served
    open_case(page, CURRENT)
    for count, key in enumerate(("2", "Enter", "x"), start=1):
        page.keyboard.press(key)
        wait_saved(page, count)
    page.keyboard.press("m")
    page.mouse.click(*on_screen(page, 60, 90))
    wait_saved(page, 4)
    wait_history(page, 4)
    assert page.locator(".stage .missed.mark").count() == 1
    for what in ("Brooker II", "signed", "missed"):
        page.get_by_role("button", name=f"Withdraw: {what}").click()
        page.get_by_role("button", name=f"Withdraw: {what}").wait_for(state="detached")
    assert page.locator('.class[aria-pressed="true"]').count() == 0
    assert page.locator(".stage .missed").count() == 0
    assert page.locator(".history s").count() == 3
    entries = wait_saved(page, 7)
    assert next(e["kind"] for e in entries if not e["withdrawn"]) == "false_ossification"
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Review", exact=True).select_option(label="done")
    assert cards(page) == []


def test_signing_names_the_hips_without_a_class(served):
    page = served
    open_case(page, CURRENT)
    page.keyboard.press("3")
    page.wait_for_function("() => document.querySelectorAll('.class[aria-pressed=true]').length")
    page.keyboard.press("Enter")
    wait_saved(page, 2)
    page.wait_for_function(
        "() => document.getElementById('message').textContent.endsWith('no class to: left hip.')"
    )


def test_a_signature_of_a_reader_study_is_no_review(tab, run):
    with ReviewStore(run / STORE) as store:
        store.add(Correction("Ada", CURRENT.folder, "sign", blinded=True))
        store.add(Correction("Bob", SINGLE.folder, "sign"))
    for blinded, expected in ((False, [SINGLE]), (True, [CURRENT])):
        with serving(run, blinded=blinded) as server:
            tab.goto(server.url)
            tab.fill("#reader", "Ada")
            tab.keyboard.press("Tab")
            tab.locator(".badge.done").wait_for()
            review = tab.get_by_role("combobox", name="Review", exact=True)
            review.select_option(label="done")
            assert cards(tab) == names(expected)
            tab.goto("about:blank")  # nothing is asked of a server that has gone


def test_a_missed_ossification_is_seen_again(served):
    page = served
    open_case(page, CURRENT)
    page.keyboard.press("m")
    page.mouse.click(*on_screen(page, 60, 90))
    wait_saved(page, 1)
    open_case(page, SINGLE)
    open_case(page, CURRENT)
    wait_history(page, 1)
    drawn = page.locator(".stage .missed.mark").get_attribute("d")
    assert (
        "missed ossification, right hip, at row and column" in page.locator(".history").inner_text()
    )
    column, row = (float(v) for v in drawn.removeprefix("M").split("h")[0].split())
    half = max(page.evaluate("[app.current.data.rows, app.current.data.columns]")) / 90
    assert (row, column + half) == pytest.approx((60, 90), abs=1)


def test_another_reader_sees_none_of_the_first(served):
    page = served
    open_case(page, CURRENT)
    page.keyboard.press("2")
    wait_saved(page, 1)
    page.wait_for_function("() => document.querySelectorAll('.class[aria-pressed=true]').length")
    page.locator("textarea").fill("not saved yet")
    page.fill("#reader", "Bob")
    page.keyboard.press("Tab")
    page.wait_for_function("() => !document.querySelectorAll('.class[aria-pressed=true]').length")
    assert page.locator("textarea").input_value() == "not saved yet"
    assert page.get_by_role("button", name="Withdraw").count() == 0


def test_the_computed_class_is_named(served):
    page = served
    open_case(page, CURRENT)
    right = page.get_by_role("article", name="Right hip")
    assert "Right hip: Brooker III" in right.inner_text()
    assert right.get_by_role("button", name="Accept III").count() == 1
    assert right.locator(".computed").all_inner_texts() == ["III"]
    assert (
        page.locator(".stage .gap.casing").count()
        == page.locator(".stage .gap:not(.casing)").count()
    )
    open_case(page, PRIOR)  # class 0: nothing there to be false
    assert page.get_by_role("button", name="False ossification").count() == 0
    page.keyboard.press("x")
    assert "found no ossification" in page.locator("#message").inner_text()


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
        for key in ("a", "x", "m", "v", "o", "g"):  # about what the computer found
            tab.keyboard.press(key)
        assert tab.evaluate("app.current.painter.mode") is None
        tab.keyboard.press("?")
        assert "computer" not in tab.get_by_role("dialog").inner_text()
        tab.keyboard.press("Escape")
        for key in ("2", "h", "1"):
            tab.keyboard.press(key)
        entries = wait_saved(tab, 2)
        assert {(e["side"], e["value"]) for e in entries} == {("right", "2"), ("left", "1")}
        assert all(entry["blinded"] for entry in entries)

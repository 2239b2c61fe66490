"""A comment is never lost, in a real Chromium: not by going on, signing, reloading or a fault."""

import pytest

from .films import CURRENT, SINGLE
from .pages import IN_BROWSER, open_case, saved, wait_history, wait_saved

pytestmark = IN_BROWSER

COMMENT = "bridge at the lesser trochanter?\nsecond look, 0 1 2 3 j"
BOX = "textarea"


def comments(entries: list[dict]) -> list[tuple[str, str]]:
    return [(e["image"], e["value"]) for e in entries if e["kind"] == "comment"]


def type_comment(page, film, text: str = COMMENT) -> None:
    open_case(page, film)
    page.locator(BOX).fill(text)


def leave(page, how: str) -> None:
    if how in ("Next", "Previous", "Gallery"):
        page.get_by_role("button", name=how).click()
    elif how == "address":
        page.evaluate("id => { location.hash = id; }", CURRENT.folder)
    else:
        page.keyboard.press("Escape")  # out of the box
        page.keyboard.press(how)


@pytest.mark.parametrize("how", ["j", "k", "Escape", "Next", "Previous", "Gallery", "address"])
def test_going_on_saves_it_first(served, how):
    type_comment(served, SINGLE)
    leave(served, how)
    assert comments(wait_saved(served, 1)) == [(SINGLE.folder, COMMENT)]
    served.wait_for_function("id => app.current?.data.id !== id", arg=SINGLE.folder)
    open_case(served, SINGLE)
    wait_history(served, 1)
    assert served.locator(BOX).input_value() == ""


def test_it_is_saved_once_however_fast_the_reader_is(served):
    type_comment(served, SINGLE)
    served.evaluate("() => { app.current.saveComment(); app.step(1); app.step(-1); app.step(1); }")
    served.wait_for_function("id => app.current?.data.id !== id", arg=SINGLE.folder)
    assert comments(saved(served.run)) == [(SINGLE.folder, COMMENT)]


def test_signing_saves_it_before_the_signature(served):
    type_comment(served, SINGLE)
    served.get_by_role("button", name="Sign this case").click()
    assert [e["kind"] for e in wait_saved(served, 2)] == ["comment", "sign"]
    assert served.locator(BOX).input_value() == ""


def test_a_reload_asks_and_gives_it_back(served):
    type_comment(served, SINGLE)
    served.once("dialog", lambda dialog: dialog.accept())
    served.reload()
    assert served.said == ["dialog "]  # the browser's own question
    served.said.clear()
    served.wait_for_function("() => app.current?.painter.loaded")
    assert served.locator(BOX).input_value() == COMMENT
    served.get_by_role("button", name="Save comment").click()
    assert comments(wait_saved(served, 1)) == [(SINGLE.folder, COMMENT)]
    served.wait_for_function(f"() => document.querySelector('{BOX}').value === ''")
    served.reload()  # nothing is asked now
    served.wait_for_function("() => app.current?.painter.loaded")
    assert served.locator(BOX).input_value() == ""


def test_a_draft_is_of_one_reader_and_one_case(served):
    type_comment(served, SINGLE)
    draft = served.evaluate("app.current.draft")
    served.evaluate("app.current.comment.value = ''")  # as after a crash: kept, not saved
    open_case(served, CURRENT)
    assert served.locator(BOX).input_value() == ""
    served.fill("#reader", "Bob")
    served.keyboard.press("Tab")
    open_case(served, SINGLE)
    assert served.locator(BOX).input_value() == ""
    served.fill("#reader", "Ada")
    served.keyboard.press("Tab")
    served.wait_for_function(f"() => document.querySelector('{BOX}').value !== ''")
    assert served.evaluate("app.current.draft") == draft
    assert served.locator(BOX).input_value() == COMMENT
    served.locator(BOX).fill("")  # thought better of it: no draft is left
    assert served.evaluate("place => localStorage.getItem(place)", draft) is None


def test_a_server_that_is_gone_keeps_the_reader_at_the_case(served):
    type_comment(served, SINGLE)
    served.route("**/api/review", lambda route: route.abort())
    leave(served, "j")
    served.locator("#message.bad").wait_for()
    assert served.evaluate("app.current.data.id") == SINGLE.folder
    assert served.locator(BOX).input_value() == COMMENT
    served.said.clear()  # the browser's own line about the connection
    served.unroute("**/api/review")
    leave(served, "j")
    assert comments(wait_saved(served, 1)) == [(SINGLE.folder, COMMENT)]


def test_without_a_name_it_stays_in_its_box(served):
    served.fill("#reader", "")
    type_comment(served, SINGLE)
    leave(served, "j")
    served.wait_for_function("() => document.activeElement.id === 'reader'")
    assert served.evaluate("app.current.data.id") == SINGLE.folder
    served.keyboard.type("Ada")
    served.keyboard.press("Escape")
    served.keyboard.press("j")
    (entry,) = wait_saved(served, 1)
    assert (entry["reader"], entry["value"]) == ("Ada", COMMENT)


def test_the_page_from_disk_keeps_it_too(from_disk):
    from_disk.fill("#reader", "Ada")
    from_disk.keyboard.press("Tab")
    type_comment(from_disk, SINGLE)
    leave(from_disk, "j")
    from_disk.wait_for_function("id => app.current?.data.id !== id", arg=SINGLE.folder)
    kept = from_disk.evaluate("store.here()")
    assert comments(kept) == [(SINGLE.folder, COMMENT)]

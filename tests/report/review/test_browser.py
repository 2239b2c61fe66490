"""The page in a real Chromium: from disk and served."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest

from hoseg.radiograph import Structure
from hoseg.report.review.store import STORE, ReviewStore

from .conftest import serving
from .films import ABSTAINED, CURRENT, FILMS, HOSTILE, PRIOR, SCRIPT, SINGLE

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run", "--no-default-browser-check",
)  # fmt: skip
pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser):
    """A page whose errors and requests are written down; no error is allowed."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.said, page.asked = [], []
    page.on("console", lambda line: page.said.append(line.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: page.said.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    assert page.said == []
    context.close()


@pytest.fixture
def served(tab, run) -> Iterator:
    with serving(run) as server:
        tab.goto(server.url)
        tab.fill("#reader", "Ada")
        tab.keyboard.press("Tab")
        tab.run = run
        yield tab


@pytest.fixture
def from_disk(tab, run):
    tab.goto((run / "review.html").as_uri())
    return tab


def cards(page) -> list[str]:
    return [Path(c).parent.name for c in page.locator(".card img").evaluate_all(
        "images => images.map((image) => image.getAttribute('src'))")]  # fmt: skip


def names(films) -> list[str]:
    return [Path(film.folder).name for film in films]


def open_case(page, film) -> None:
    page.evaluate("id => { location.hash = id; }", film.folder)
    page.wait_for_function(
        "id => app.current && app.current.data.id === id && app.current.viewer.image.complete"
        " && (!app.current.painter || app.current.painter.loaded)",
        arg=film.folder,
    )


def saved(run: Path) -> list[dict]:
    with ReviewStore(run / STORE) as store:
        return list(store.history())


def wait_saved(page, count: int) -> list[dict]:
    for _ in range(100):
        entries = saved(page.run) if (page.run / STORE).exists() else []
        if len(entries) >= count:
            return entries
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(entries)} entries, {count} expected; {page.said}")


def painted(page) -> int:
    """Pixels of the mask being painted."""
    return page.evaluate(
        "() => { const c = app.current.painter.canvas;"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let k = 3; k < d.length; k += 4) n += d[k] > 127; return n; }"
    )


def on_screen(page, row: float, column: float) -> tuple[float, float]:
    """Where a film pixel is on the screen."""
    return tuple(
        page.evaluate(
            "([r, c]) => { const v = app.current.viewer, b = v.root.getBoundingClientRect();"
            " return [b.left + v.x + c * v.scale, b.top + v.y + r * v.scale]; }",
            [row, column],
        )
    )


# --- from disk ----------------------------------------------------------------------------------


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


# --- gallery ------------------------------------------------------------------------------------


def test_what_needs_a_person_comes_first(from_disk):
    assert cards(from_disk)[0] == names([ABSTAINED])[0]
    assert cards(from_disk)[-1] == names([PRIOR])[0]
    assert set(cards(from_disk)) == set(names(FILMS))


@pytest.mark.parametrize(
    ("label", "option", "films"),
    [
        ("Status", "abstained", [ABSTAINED]),
        ("Class", "Brooker IV", [SINGLE]),
        ("Class", "Brooker II", [CURRENT]),
        ("Implant", "without", [ABSTAINED, PRIOR]),
        ("View", "ap hip", [ABSTAINED, SINGLE]),
        ("Review", "done", []),
    ],
)
def test_filters(from_disk, label, option, films):
    from_disk.get_by_label(label, exact=True).select_option(label=option)
    assert set(cards(from_disk)) == set(names(films))
    assert f"{len(films)} of {len(FILMS)} images" in from_disk.locator(".filters").inner_text()


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
    page.wait_for_function("app.current")
    second = cards(page)[1]
    assert page.evaluate("location.hash").endswith(second)
    page.keyboard.press("Escape")
    page.wait_for_function("!app.current")
    focused = page.evaluate("document.activeElement.querySelector('img').getAttribute('src')")
    assert second in focused


# --- a case -------------------------------------------------------------------------------------


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
    page.wait_for_function("document.querySelectorAll('.history li').length === 4")
    pressed = page.locator('.class[aria-pressed="true"]').all_inner_texts()
    assert pressed == ["III", "0"]
    page.keyboard.press("Escape")
    page.get_by_label("Review", exact=True).select_option(label="done")
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
    page.wait_for_function("document.querySelectorAll('.view').length === 2")
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
    assert on_screen(page, 100, 120) == pytest.approx((x, y), abs=0.5)  # zooms about the pointer
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


# --- painting -----------------------------------------------------------------------------------


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
    assert page.evaluate("app.current.painter.at") == pytest.approx([row - 20, column + 16])
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
    page.wait_for_function("document.activeElement.id === 'reader'")
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
    page.wait_for_function("document.querySelector('.history').innerText.includes('<b>')")


def test_a_server_that_is_gone_is_said_so(tab, run):
    with serving(run) as server:
        tab.goto(server.url)
        tab.fill("#reader", "Ada")
        open_case(tab, SINGLE)
    tab.keyboard.press("Escape")
    tab.keyboard.press("4")
    tab.wait_for_function("document.querySelector('#message.bad')")
    assert "Not saved" in tab.locator("#message").inner_text()
    tab.said.clear()  # the browser's own line about the connection


# --- blinded ------------------------------------------------------------------------------------


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
        assert "Probabilities" not in text
        assert "Blinded reading" in tab.locator("header").inner_text()
        tab.keyboard.press("Escape")  # out of the field Reader
        for key in ("2", "h", "1"):
            tab.keyboard.press(key)
        entries = wait_saved(tab, 2)
        assert {(e["side"], e["value"]) for e in entries} == {("right", "2"), ("left", "1")}
        assert all(entry["blinded"] for entry in entries)


# --- everybody ----------------------------------------------------------------------------------

CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const rgb = parse(getComputedStyle(e).backgroundColor);
      if (rgb.length === 3 || rgb[3] > 0.5) return rgb;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest('svg, script, style, .spoken')) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${e.className} ${e.textContent.slice(0, 40)}`);
  }
  return found;
}"""
NAMELESS = """() => [...document.querySelectorAll('button, input, select, textarea, [tabindex], img')]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute('aria-label') || e.alt || e.labels?.length || e.textContent.trim()))
  .map((e) => e.outerHTML.slice(0, 80))"""
OVERFLOWING = """() => [document.documentElement, ...document.querySelectorAll('main, .panel, .hip')]
  .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
  .map((e) => `${e.className} ${e.scrollWidth} > ${e.clientWidth}`)"""


@pytest.mark.parametrize("size", [(1280, 800), (3840, 2160)])
def test_contrast_names_and_layout(served, size):
    page = served
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for film in (None, CURRENT, ABSTAINED):
        if film:
            open_case(page, film)
            page.keyboard.press("1")
            page.keyboard.press("b")
            page.locator("details").evaluate_all("all => all.forEach((d) => { d.open = true; })")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []
        assert page.evaluate(OVERFLOWING) == []
        if film:
            page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    assert page.evaluate(CONTRAST) == []


def test_every_control_is_reached_by_tab(served):
    page = served
    open_case(page, SINGLE)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    buttons = page.locator("#case button").all_inner_texts()
    assert {text.strip() for text in buttons} <= reached

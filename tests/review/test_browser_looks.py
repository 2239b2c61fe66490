"""Contrast, names and layout in a real Chromium."""

import pytest

from .films import ABSTAINED, CURRENT, SINGLE
from .pages import IN_BROWSER, open_case

pytestmark = IN_BROWSER

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
    const pair = [light(parse(getComputedStyle(e).color)), light(ground(e))];
    const [a, b] = pair.sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const text = e.textContent.slice(0, 40);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${e.className} ${text}`);
  }
  return found;
}"""
CONTROLS = "button, input, select, textarea, [tabindex], img"
NAMELESS = f"""() => [...document.querySelectorAll('{CONTROLS}')]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute('aria-label') || e.alt || e.labels?.length))
  .filter((e) => !e.textContent.trim())
  .map((e) => e.outerHTML.slice(0, 80))"""
OVERFLOWING = """() => [...document.querySelectorAll('html, main, .panel, .hip')]
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
    buttons = page.locator("#case button:visible").all_inner_texts()
    assert {text.strip() for text in buttons} <= reached

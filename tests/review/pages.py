"""What the browser tests ask of a page."""

import shutil
from pathlib import Path

import pytest

from hoseg.review.store import STORE, ReviewStore

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
IN_BROWSER = [
    pytest.mark.tools,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


def cards(page) -> list[str]:
    return [Path(c).parent.name for c in page.locator(".card img").evaluate_all(
        "images => images.map((image) => image.getAttribute('src'))")]  # fmt: skip


def names(films) -> list[str]:
    return [Path(film.folder).name for film in films]


def open_case(page, film) -> None:
    page.evaluate("id => { location.hash = id; }", film.folder)
    page.wait_for_function(
        "id => app.current && app.current.data.id === id && app.current.viewer.image.complete"
        " && app.current.painter.loaded",
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


def wait_history(page, count: int) -> None:
    """Wait until the case lists this many corrections."""
    page.wait_for_function("n => document.querySelectorAll('.history li').length === n", arg=count)


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

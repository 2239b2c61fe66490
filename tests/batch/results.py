"""Results of films made by hand, for tests of what becomes of them."""

from __future__ import annotations

from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Side, View
from hoseg.report.schema import ResultFile, SourceImage


def hip(side: Side | str = Side.LEFT, brooker: int | None = 2, **more: object) -> HipFinding:
    """A graded hip, or with ``brooker`` None one that is abstained on."""
    facts: dict[str, object] = {
        "side": side,
        "classes": {"brooker": brooker},
        "view": View.AP_PELVIS,
        "pattern": "none" if brooker == 0 else "spur",
        "spacing_source": "user",
        "abstained": None if brooker is not None else "cropped_hip",
    }
    return HipFinding(**(facts | more))  # type: ignore[arg-type]


def film(source: str, *hips: HipFinding, frame: int = 0, **attributes: str) -> ResultFile:
    """The result of a film; ``attributes`` are identifiers of ``SourceImage``."""
    image = SourceImage(
        rows=40,
        columns=50,
        frame=frame,
        side=Side.UNKNOWN,
        view=View.AP_PELVIS,
        columns_to=Side.LEFT,
        **attributes,  # type: ignore[arg-type]
    )
    graded = any(hip.abstained is None for hip in hips)
    return ResultFile(
        source=source,
        folder=f"studies/s/{source}-{frame}",
        status="graded" if graded else "abstained",
        image=image,
        hips=hips,
    )

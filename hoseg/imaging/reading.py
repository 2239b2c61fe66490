"""One film with all that was made of it before grading; the record that rooms hand on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError
from hoseg.imaging.display import display
from hoseg.radiograph import MaskLayers, Prepared, Radiograph, Segmentation, Structure, split_layers


@dataclass(frozen=True, eq=False)
class Reading:
    """A film, what the network saw of it, and what it found there.

    radiograph: (H, W) as it was read
    prepared: (h, w) as the network saw it
    segmentation: masks (H, W), probabilities (4, h, w)

    Raises
    ------
    SettingError: arrays that do not belong together
    """

    radiograph: Radiograph
    prepared: Prepared
    segmentation: Segmentation

    def __post_init__(self) -> None:
        film, seen, found = self.radiograph, self.prepared, self.segmentation
        for name, shape, wanted in (
            ("masks shape", found.masks.shape, film.shape),
            ("field shape", seen.field.shape, seen.grid.shape),
            ("probabilities shape", found.probabilities.shape, (len(Structure), *found.grid.shape)),
        ):
            if shape != wanted:
                raise SettingError(name, shape, f"{wanted}", where=film.source)
        if found.probabilities.dtype != np.uint8:
            kind = str(found.probabilities.dtype)
            raise SettingError("probabilities type", kind, "uint8, p x 255", where=film.source)

    @cached_property
    def layers(self) -> MaskLayers:
        """Each structure of the masks, on the part of the film where it is."""
        return split_layers(self.segmentation.masks)

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """(H, W) the film as displayed, dense bright, whatever the file says of its polarity."""
        return display(dense_bright(self.radiograph, self.prepared))


def greys_flipped(radiograph: Radiograph, prepared: Prepared) -> bool:
    """Whether the polarity that was found contradicts the one that the file states."""
    return prepared.inverted != radiograph.display.small_is_bright


def dense_bright(radiograph: Radiograph, prepared: Prepared) -> Radiograph:
    """The film to be shown with bone bright: readers compare films that way round."""
    if not greys_flipped(radiograph, prepared):
        return radiograph
    shown = radiograph.display
    return replace(radiograph, display=replace(shown, inverted=not shown.inverted))

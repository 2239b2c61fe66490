import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hoseg.radiograph import Structure
from hoseg.report.contours import trace_contours

bits = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 15)
)


@given(bits)
def test_searching_where_a_structure_occurs_finds_what_searching_everywhere_does(masks):
    found = trace_contours(masks)
    assert list(found) == list(Structure)
    for structure, lines in found.items():
        everywhere, _ = cv2.findContours(
            masks & np.uint8(structure), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )
        assert len(lines) == len(everywhere)
        assert all(np.array_equal(a, b) for a, b in zip(lines, everywhere, strict=True))

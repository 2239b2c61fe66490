import numpy as np
import pytest

from hoseg.simulate.body.projector import check_closed
from hoseg.simulate.patient.implants import cup, rod, screw


def test_turned_shapes_are_closed_with_outward_faces():
    a, b = np.zeros(3), np.array([10.0, 5.0, 40.0])
    for mesh in (rod(a, b, 3), screw(a, b, 2.5, 4), cup(a, b, 27, 4)):
        check_closed(mesh.faces, "shape")
        assert mesh.volume_mm3 > 0


def test_rod_has_the_volume_of_a_cylinder():
    mesh = rod(np.zeros(3), np.array([0, 0, 50.0]), 4)
    assert mesh.volume_mm3 == pytest.approx(np.pi * 16 * 50, rel=0.02)

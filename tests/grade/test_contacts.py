"""What touches what, against scipy's connected components."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from hoseg.grade.contacts import Contacts
from hoseg.grade.surfaces import FAR_MM


def contacts(n: int, rng: np.random.Generator) -> Contacts:
    """Ossifications at random distances from each other and from the bones; many share one."""
    edges = rng.choice([0.0, 0.5, 1.0, 2.0, 3.0, FAR_MM], (n + 2, n + 2))
    edges = np.minimum(edges, edges.T)
    edges[-2, -1] = edges[-1, -2] = FAR_MM  # the native joint is no contact
    np.fill_diagonal(edges, FAR_MM)
    nowhere = np.zeros(n)
    return Contacts((None,) * n, nowhere, nowhere, edges, np.zeros((n, 2)))  # type: ignore[arg-type]


def together(edges: np.ndarray, tolerance_mm: float) -> np.ndarray:
    return connected_components(edges <= tolerance_mm, directed=False)[1]


@settings(max_examples=60)
@given(st.integers(0, 6), st.integers(0, 10_000))
def test_attached_and_lesions_are_connected_components(n, seed):
    rng = np.random.default_rng(seed)
    found = contacts(n, rng)
    tolerances = rng.choice([0.1, 0.5, 1.0, 2.5], 5)
    apart = rng.random((5, n, 2)) < 0.3
    for touching, tolerance_mm, undone in zip(
        found.touching_without(tolerances, apart), tolerances, apart, strict=True
    ):
        edges = found.edges.copy()
        edges[:n, n:][undone] = FAR_MM
        edges[n:, :n] = edges[:n, n:].T
        for bone, hanging in ((n, touching.pelvic), (n + 1, touching.femoral)):
            nodes = [*range(n), bone]  # a way to one bone does not lead over the other
            label = together(edges[np.ix_(nodes, nodes)], tolerance_mm)
            assert hanging.tolist() == (label[:n] == label[n]).tolist()
        lesion = together(edges[:n, :n], tolerance_mm) if n else []
        same = np.equal.outer(lesion, lesion)
        assert np.array_equal(np.equal.outer(touching.lesions, touching.lesions), same)
        assert sorted(set(touching.lesions)) == list(range(len(set(touching.lesions))))


def test_nothing_undone_is_as_it_is():
    found = contacts(4, np.random.default_rng(3))
    plain = found.touching(1.0)
    (same,) = found.touching_without(np.array([1.0]), np.zeros((1, 4, 2), bool))
    assert plain.key == same.key


def test_undoing_contacts_is_the_same_at_once_or_one_by_one():
    rng = np.random.default_rng(5)
    found = contacts(5, rng)
    apart = rng.random((5, 2)) < 0.5
    (at_once,) = found.touching_without(np.array([2.0]), apart[None])
    assert found.without(apart).touching(2.0).key == at_once.key

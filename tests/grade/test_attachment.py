"""Contacts that are superimposition do not count, and the finding says so."""

from dataclasses import replace

import numpy as np
import pytest

from hoseg.grade import GradingModels, grade
from hoseg.grade.bones import prepare_bones
from hoseg.grade.closeup import ATTACHMENT, SIZE_PX, AttachmentNetwork, close_up_of_ossification
from hoseg.grade.contacts import carry_over, find_contacts
from hoseg.grade.frame import find_frame
from hoseg.grade.hips import find_hips
from hoseg.grade.ossification import find_ossifications
from hoseg.grade.settings import GradeSettings
from hoseg.grade.surfaces import find_surfaces
from hoseg.radiograph import Orientation, Side, split_layers

from .scene import TIP, Scene, island, known, opposing_boxes, read
from .shapes import Ellipse

PELVIS, FEMUR = 0, 1


class Says:
    """The same probability of superimposition for every contact with a bone."""

    def __init__(self, pelvis=0.0, femur=0.0):
        self.pelvis, self.femur = pelvis, femur

    def superimposition(self, contacts, side, reading):
        return np.where(contacts.near, (self.pelvis, self.femur), 0.0)


def found(masks):
    """Contacts of the only hip."""
    bones = prepare_bones(split_layers(masks), masks.shape, (0.5, 0.5), None)
    (hip,) = find_hips(bones)
    around = find_surfaces(bones, hip, find_frame(bones, hip, Orientation()), GradeSettings())
    items, _ = find_ossifications(masks & 8, bones, GradeSettings())
    return find_contacts(items, around)


def test_a_superimposed_contact_does_not_count():
    spurs = Scene(opposing_boxes(5.0))
    assert spurs.grade().brooker == 3
    finding = spurs.classified(Says(pelvis=0.1, femur=0.9))
    assert finding.spurs_on == ("pelvis",)
    assert finding.gap_mm > 10
    assert (finding.brooker, finding.brooker_every_contact) == (2, 3)
    touches = {(c.attached_to, c.superimposed_on) for c in finding.components}
    assert touches == {(("pelvis",), ()), ((), ("femur",))}
    caveat = {note.code: note.text for note in finding.caveats}["superimposed"]
    assert "touches the femur" in caveat
    assert caveat.endswith("the class would be III")
    assert "; III with superimposed contacts counted" in finding.summary


def test_ossification_in_front_of_both_bones_is_an_island():
    bridge = Scene(opposing_boxes(0.0))
    assert bridge.grade().brooker == 4
    finding = bridge.classified(Says(0.8, 0.8))
    assert (finding.brooker, finding.brooker_every_contact, finding.pattern) == (1, 4, "islands")
    assert finding.gap_mm is None
    facts = finding.model_dump(mode="json")
    assert facts["brooker_every_contact"] == 4
    assert {bone for c in facts["components"] for bone in c["superimposed_on"]} == {
        "pelvis",
        "femur",
    }


def test_superimposed_ossification_away_from_the_hip_is_left_out_and_still_told():
    inside = Ellipse((-44.0, 5.0), (6.0, 5.0), 0.0)  # over the pubis, medial of the joint
    scene = Scene((inside,))
    assert scene.grade().brooker == 2
    finding = scene.classified(Says(pelvis=0.9))
    assert (finding.brooker, finding.brooker_every_contact) == (0, 2)
    (component,) = finding.components
    assert (component.excluded, component.superimposed_on) == ("inside_pelvis", ("pelvis",))
    assert "superimposed" in [note.code for note in finding.caveats]


def test_what_is_near_a_bone_without_touching_it_counts_as_it_is():
    scene = Scene((island(14.0, at=(TIP[0], TIP[1] - 5.5)),))  # 2.5 mm off the trochanter
    finding = scene.classified(Says(0.9, 0.9))
    assert (finding.brooker, finding.brooker_every_contact) == (1, None)
    assert finding.caveats == scene.grade().caveats
    assert [c.superimposed_on for c in finding.components] == [()]
    # "an island and a bone 29 mm apart", to the other bone, would be no help.
    assert "apart" in scene.grade().counterfactuals["brooker"]
    assert "brooker" not in finding.counterfactuals


def test_an_abstained_hip_has_no_other_class():
    models = GradingModels(contacts=Says(0.1, 0.9))
    (without_scale,) = grade(read(Scene(opposing_boxes(5.0)).masks()), models)
    assert without_scale.abstained == "no_calibration"
    assert without_scale.brooker_every_contact is None


def test_a_probability_up_to_one_half_leaves_the_class():
    spurs = Scene(opposing_boxes(5.0))
    doubtful = spurs.classified(Says(0.5, 0.5))
    plain = {"caveats": ()}
    assert doubtful.model_copy(update=plain) == spurs.classified(None).model_copy(update=plain)
    assert doubtful.brooker_every_contact is None
    assert "superimposed" not in [note.code for note in doubtful.caveats]


def test_the_draws_follow_the_probability_and_the_gap_does_not():
    film = read(Scene(opposing_boxes(5.0)).masks(), known((0.5, 0.5), 0.02))
    intervals = []
    for p in (0.1, 0.4):
        (finding,) = grade(film, GradingModels(contacts=Says(p, p)), draws=2000)
        chances = finding.probabilities("brooker")
        assert chances[1] == pytest.approx(p**2, abs=0.03)
        assert chances[3] == pytest.approx((1 - p) ** 2, abs=0.03)
        low, high = finding.gap_interval_mm
        assert low < finding.gap_mm < high
        intervals.append((low, high))
    assert intervals[0] == pytest.approx(intervals[1], abs=0.05)
    (finding,) = grade(film, GradingModels(contacts=Says(0.9, 0.9)), draws=2000)
    chances = finding.probabilities("brooker")
    assert (finding.brooker, finding.gap_interval_mm) == (1, None)
    assert chances[1] == pytest.approx(0.81, abs=0.03)


def test_superimposition_at_another_threshold_is_that_of_the_same_ossification():
    masks = Scene(opposing_boxes(5.0)).masks()
    first = found(masks)
    known_ = replace(first, superimposition=np.array([[0.9, 0.0], [0.0, 0.2]]))
    smaller = Scene(opposing_boxes(6.0)).masks()
    assert carry_over(known_, found(smaller)) == pytest.approx(known_.superimposition)
    # An ossification of its own keeps what its share over the bone says.
    lone = found(Scene((island(14.0, at=(TIP[0], TIP[1] - 3.2)),)).masks())
    assert lone.superimposition[0, FEMUR] > 0
    alone = replace(known_, items=known_.items[:1], superimposition=known_.superimposition[:1])
    assert carry_over(alone, lone)[0, FEMUR] == lone.superimposition[0, FEMUR]
    assert carry_over(first.only([]), lone)[0, FEMUR] == lone.superimposition[0, FEMUR]


def test_some_of_the_ossifications_keep_their_distances():
    contacts = found(Scene((*opposing_boxes(5.0), island(14.0))).masks())
    assert len(contacts.items) == 3
    for kept in ([0, 2], [1], []):
        only, nodes = contacts.only(kept), [*kept, 3, 4]
        assert only.items == tuple(contacts.items[i] for i in kept)
        assert np.array_equal(only.edges, contacts.edges[np.ix_(nodes, nodes)])
        assert np.array_equal(only.superimposition, contacts.superimposition[kept])


class Network:
    """Answers the same, and keeps what it was shown."""

    def __init__(self, answer):
        self.answer, self.shown = np.array([answer]), []

    def log_odds(self, close_ups):
        self.shown += list(close_ups)
        return self.answer


def test_the_network_is_asked_about_what_is_near_a_bone_alone():
    masks = Scene((*opposing_boxes(5.0), island(14.0))).masks()
    contacts, network = found(masks), Network((-2.0, 3.0))
    found_ = AttachmentNetwork(network).superimposition(contacts, Side.LEFT, read(masks))
    assert len(network.shown) == 2
    near = contacts.near
    assert near.sum() == 2
    assert found_[~near].max() == 0
    assert found_[near[:, PELVIS], PELVIS] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert found_[near[:, FEMUR], FEMUR] == pytest.approx(1 / (1 + np.exp(3.0)))


def test_a_close_up_shows_one_ossification_apart():
    masks = Scene(opposing_boxes(5.0)).masks()
    film = read(masks)
    for item in found(masks).items:
        shown = close_up_of_ossification(item, Side.LEFT, film)
        own = shown[5] > 127
        assert shown.shape == (ATTACHMENT.planes, SIZE_PX, SIZE_PX)
        assert own.sum() * ATTACHMENT.step_mm**2 == pytest.approx(item.area_mm2, rel=0.15)
        assert (shown[4][own] > 127).mean() > 0.85
        assert ((shown[4] > 127) & ~own).sum() > 200  # the other one is there too
        rows, columns = np.nonzero(own)
        middle = (SIZE_PX - 1) / 2
        assert (rows.min() + rows.max()) / 2 == pytest.approx(middle, abs=1)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(middle, abs=1)


def test_a_close_up_is_turned_as_the_hip_is():
    masks = Scene(opposing_boxes(5.0)).masks()
    upright = close_up_of_ossification(found(masks).items[0], Side.LEFT, read(masks))
    flipped = np.ascontiguousarray(masks[:, ::-1])
    other = close_up_of_ossification(found(flipped).items[0], Side.RIGHT, read(flipped))
    assert (np.abs(upright.astype(int) - other) > 60).mean() < 0.01

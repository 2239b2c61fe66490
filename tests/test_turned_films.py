"""Films stored on their side, upside down or mirrored, through the released network."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hoseg.imaging.turn import Turn, stored_orientation
from hoseg.infer.predictor import Options, Predictor
from hoseg.pipeline import Pipeline
from hoseg.radiograph import Attributes, Orientation, Radiograph, Side, Spacing, SpacingSource, View
from hoseg.simulate import RenderSettings, SceneSettings, render
from hoseg.simulate.patient.projection import project
from hoseg.simulate.patient.scene import sample_scene

EIGHT = list(product(range(4), (False, True)))


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(Predictor("hip-sim-1", runtime="onnx", options=Options(gate=False)))


@pytest.fixture(scope="module")
def film() -> Radiograph:
    """A whole pelvis, ossified on the left alone."""
    views = {"ap_pelvis": 1.0, "ap_hip": 0.0, "frog_leg": 0.0, "judet": 0.0}
    settings = SceneSettings(views=views, brooker={"0": 0, "1": 0, "2": 0, "3": 1, "4": 0})
    rng = np.random.default_rng(4)
    simulated = render(project(sample_scene(settings, rng), 0.7), rng, RenderSettings())
    pixels = simulated.pixels
    if simulated.recipe.processing.dark_bone:
        pixels = pixels.max() - pixels
    spacing = Spacing(0.7, 0.7, 0.0, SpacingSource.USER)
    return Radiograph(
        pixels,
        "film",
        spacing,
        view=View.AP_PELVIS,
        orientation=Orientation(source="attribute"),
        attributes=Attributes(modality="DX", body_part="PELVIS"),
    )


@pytest.fixture(scope="module")
def expected(pipeline, film):
    found = pipeline.read(film).result
    assert found.status == "graded"
    assert {hip.side for hip in found.hips} == {Side.LEFT, Side.RIGHT}
    return {hip.side: hip for hip in found.hips}


def stored(film: Radiograph, quarters: int, mirrored: bool, source: str) -> Radiograph:
    """The film as it would be stored so that some counterclockwise quarters bring it upright."""
    pixels = film.pixels[:, ::-1] if mirrored else film.pixels
    columns = Side.RIGHT if mirrored else Side.LEFT
    upright = replace(film, pixels=pixels, orientation=Orientation(columns, source=source))
    return Turn(-quarters % 4, upright.shape).film(upright)


@pytest.mark.slow
@pytest.mark.parametrize(("quarters", "mirrored"), EIGHT)
def test_sides_and_classes_do_not_depend_on_how_a_film_is_stored(
    pipeline, film, expected, quarters, mirrored
):
    image = pipeline.read(stored(film, quarters, mirrored, "attribute"))
    found = {hip.side: hip for hip in image.result.hips}
    assert found.keys() == expected.keys()
    if not mirrored:  # the network does not see a mirrored film quite alike
        assert all(found[side].brooker == expected[side].brooker for side in found)
    assert image.masks().shape == image.radiograph.shape == image.grey.shape
    upright = np.rot90(image.masks(), quarters)
    for side, hip in found.items():
        row, column = (round(x) for x in hip.landmarks.head_px)
        want = expected[side].landmarks.head_px
        turn = Turn(quarters, image.radiograph.shape)
        there = turn.point_back((want[0], upright.shape[1] - 1 - want[1] if mirrored else want[1]))
        assert np.hypot(row - there[0], column - there[1]) < (8 if mirrored else 4)


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_film_that_does_not_say_how_it_lies_is_turned_by_its_bones(
    pipeline, film, expected, quarters
):
    lying = stored(film, quarters, False, "assumed")
    image = pipeline.read(replace(lying, orientation=Orientation()))
    assert "turned_by_picture" in {note.code for note in image.result.notes}
    assert image.result.image.orientation_source == "picture"
    assert image.radiograph.orientation == stored_orientation(
        Turn(quarters, lying.shape), "picture"
    )
    assert {hip.side: hip.brooker for hip in image.result.hips} == {
        side: hip.brooker for side, hip in expected.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_bones_that_contradict_the_attributes_are_not_graded(pipeline, film, quarters):
    lying = stored(film, quarters, False, "attribute")
    image = pipeline.read(replace(lying, orientation=Orientation(source="attribute")))
    assert image.result.status == "abstained"
    assert image.result.reason == "orientation_contradicted"
    assert str(90 * quarters) in image.result.sentence
    assert image.overlay().rgb().shape[:2] >= image.radiograph.shape

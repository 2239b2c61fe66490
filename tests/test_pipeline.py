"""What the objects of a pipeline show and say."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from hoseg.errors import ModelError
from hoseg.grade.chances import BY_CLOSE_UP, ClassModel, write_class_model
from hoseg.grade.closeup import ATTACHMENT, HIP
from hoseg.imaging.display import display
from hoseg.imaging.prepare import Assume, prepare
from hoseg.imaging.quality import GateResult
from hoseg.imaging.reading import Reading
from hoseg.infer.predictor import Options, Predictor
from hoseg.infer.second_look import SecondLook
from hoseg.pipeline import GREYS_FLIPPED, ImageResult, Pipeline, grading_models_of
from hoseg.radiograph import Display, Radiograph, Spacing, SpacingSource, Structure
from hoseg.report.schema import result_for_image
from hoseg.segment.card import read_card
from hoseg.segment.card_text import write_card
from hoseg.segment.weights import add_file, load_model


def film(*, inverted: bool) -> Radiograph:
    """Soft tissue with a dense bar on the left, stored dark or bright as ``inverted`` says."""
    rows, columns = np.indices((600, 500))
    dense = 800 + 900 * (np.abs(columns - 150) < 40) + rows // 4
    pixels = (4095 - dense if inverted else dense).astype(np.uint16)
    spacing = Spacing(0.5, 0.5, 0.0, SpacingSource.USER)
    return Radiograph(pixels, "film.png", spacing, display=Display((2048.0, 3000.0)))


def shown(radiograph: Radiograph, inverted: bool) -> ImageResult:
    prepared = prepare(radiograph, 0.7, Assume(inverted=inverted))
    result = result_for_image(
        radiograph, (), status="abstained", reason="not_a_hip", sentence="Not a hip."
    )
    return ImageResult(radiograph, result, prepared)


@pytest.mark.parametrize("stated", [False, True])
def test_bone_is_shown_bright_even_where_the_file_would_show_it_dark(stated):
    radiograph = replace(film(inverted=True), display=Display((2048.0, 3000.0), inverted=stated))
    image = shown(radiograph, inverted=True)
    assert image.greys_flipped is not stated
    assert image.grey[300, 150] > image.grey[300, 400]


@pytest.mark.parametrize("inverted", [False, True])
def test_a_lut_that_inverts_turns_the_film_and_that_is_said(inverted):
    falling = np.linspace(1, 0, 4096, dtype=np.float32)
    radiograph = film(inverted=inverted)
    radiograph = replace(radiograph, display=Display(lut=falling, inverted=inverted))
    image = shown(radiograph, inverted=inverted)
    assert image.greys_flipped
    assert image.grey[300, 150] > image.grey[300, 400]
    assert not shown(film(inverted=False), inverted=False).greys_flipped


def test_a_film_turned_against_its_file_says_so_on_its_overlay():
    upright, turned = (shown(film(inverted=dark), inverted=dark) for dark in (False, True))
    assert np.array_equal(upright.grey, display(upright.radiograph))
    plain, told = upright.overlay(), turned.overlay()
    assert told.strip.shape[0] > plain.strip.shape[0]
    assert "inverted" in GREYS_FLIPPED
    # The same film stored the other way round gives the same picture, but for rounding.
    difference = told.film.astype(int) - plain.film
    assert np.abs(difference).max() <= 1


def test_a_class_model_comes_with_the_network_it_needs(tiny_model, tmp_path):
    torch = pytest.importorskip("torch")
    from hoseg.train.closeup_network import CloseUpNet, to_onnx

    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model, folder)
    found = grading_models_of([load_model(folder)])
    assert (found.classes, found.hip, found.contacts) == (None, None, None)
    weights = ((0.0,) * 4,) * 4
    bare = ClassModel(BY_CLOSE_UP, (0.0,) * 4, (1.0,) * 4, weights, (0.0,) * 4, (0.2,) * 5, 100)
    card = read_card(folder / "card.json")
    write_card(card.model_copy(update={"classes": write_class_model(bare)}), folder)
    with pytest.raises(ModelError, match=r"closeup\.onnx.*fit_classes"):
        grading_models_of([load_model(folder)])
    torch.manual_seed(0)
    add_file(folder, "closeup.onnx", to_onnx(CloseUpNet(HIP, 2)))
    add_file(folder, "attachment.onnx", to_onnx(CloseUpNet(ATTACHMENT, 2)))
    found = grading_models_of([load_model(folder)])
    assert found.classes.measurements == BY_CLOSE_UP
    assert found.contacts.network.kind == ATTACHMENT
    assert found.hip.log_odds([np.zeros((5, 128, 128), np.uint8)]).shape == (1, 4)
    add_file(folder, "closeup.onnx", b"something else")
    with pytest.raises(ModelError, match=r"closeup\.onnx.*cannot open"):
        grading_models_of([load_model(folder)])


def test_ossification_is_looked_at_twice_where_the_card_asks(tiny_model, monkeypatch):
    predictor = Predictor(tiny_model, "cpu", "torch", Options(gate=False))
    once, twice = (Pipeline(predictor, second_look=asked) for asked in (False, True))
    assert once.second_look is None
    assert twice.second_look == SecondLook(0.25, predictor.models[0].card.thresholds)
    seen = prepare(film(inverted=False), predictor.spacing_mm)
    (found,) = predictor.predict([seen])
    reading = Reading(film(inverted=False), seen, found)
    monkeypatch.setattr("hoseg.pipeline.check_segmentation", lambda reading: GateResult())
    assert once.look_again(reading) is reading
    notes = {note.code for note in twice.look_again(reading).prepared.notes}
    assert ("second_look" in notes) == bool((found.masks & Structure.OSSIFICATION).any())

"""Films judged by eye: from one hip to the report."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from hoseg.datasets.labelled import Dataset, FilmReading, HipReading, Says
from hoseg.evaluate.figures import lookup
from hoseg.evaluate.film_places import place_of, stray_bones
from hoseg.evaluate.read_films import read_film
from hoseg.evaluate.run import Resampling, evaluate
from hoseg.grade.finding import Component, Landmarks
from hoseg.radiograph import Grid, Segmentation, Side

from .phantoms import SHAPE, PhantomFilm, PhantomReader, finding

MARKS = Landmarks(head_px=(100.0, 100.0), head_radius_px=20.0, shaft_axis=(1.0, 0.0))


@pytest.mark.parametrize(
    ("point", "place"),
    [
        ((100, 105), "head"),
        ((115, 118), "neck"),
        ((105, 140), "greater trochanter"),
        ((150, 90), "lesser trochanter or ischium"),
        ((80, 125), "lateral rim"),
        ((60, 105), "AIIS"),
        ((10, 110), "ilium"),
        ((300, 100), "elsewhere"),
    ],
)
def test_places_of_a_left_hip_and_of_its_mirror_image(point, place):
    assert place_of(point, MARKS, Side.LEFT) == place
    assert place_of((point[0], 200 - point[1]), MARKS, Side.RIGHT) == place


def test_lateral_follows_the_trochanter_whatever_the_side():
    tip = MARKS.model_copy(update={"trochanter_tip_px": (95.0, 140.0)})
    assert place_of((105, 140), tip, Side.RIGHT) == "greater trochanter"


def test_no_head_no_place():
    assert place_of((1, 1), Landmarks(), Side.LEFT) == "elsewhere"


def test_stray_bone_is_neither_a_main_bone_nor_joined_to_one_by_metal():
    masks = np.zeros((200, 300), np.uint8)
    masks[20:120, 20:100] = 1  # right half of the pelvis
    masks[20:120, 200:280] = 1  # left half
    masks[140:150, 20:60] = 1  # apart, 400 px
    masks[140:150, 220:260] = 1  # apart, but joined
    masks[100:145, 238:242] |= 4
    masks[180:183, 20:23] = 1  # small
    hips = [finding(head=(110.0, 60.0)), finding(head=(110.0, 240.0))]
    assert stray_bones(masks, hips, 100) == (400,)


def segmentation():
    grid = Grid(SHAPE, (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
    return Segmentation(np.zeros(SHAPE, np.uint8), np.zeros((4, *SHAPE), np.uint8), grid, "m")


def judged(reading, hips, refused=""):
    truth = replace(PhantomFilm(1, "p").read(), masks=None, ignore=None, hips=())
    return read_film(truth, reading, segmentation(), hips, refused)


def test_none_counts_every_hip_found_and_one_where_none_was():
    both = [finding(Side.LEFT, 0), finding(Side.RIGHT, 2)]
    assert [h.false for h in judged(FilmReading(), both).hips] == [False, True]
    (hip,) = judged(FilmReading(), [], "no_hip").hips
    assert (hip.says, hip.predicted, hip.abstained) == (Says.NO, None, "no_hip")


def test_missed_false_and_unsure():
    spoken = FilmReading(
        (HipReading(Side.LEFT, Says.YES, 1, 2), HipReading(Side.RIGHT, Says.UNSURE))
    )
    left, right = judged(spoken, [finding(Side.LEFT, 0), finding(Side.RIGHT, 3)]).hips
    assert left.missed
    assert not right.false


def test_chance_is_of_the_classes_that_were_given():
    chances = (0.2, 0.3, 0.0, 0.0, 0.0)  # half of the draws were undecided
    (hip,) = judged(FilmReading(), [finding(Side.LEFT, 1, chances)]).hips
    assert (hip.healthy_chance, hip.chance) == pytest.approx((0.4, 0.6))


class Eyes(PhantomReader):
    """Says of the hips what the test wants."""

    def __init__(self, classes):
        super().__init__(shift=0, miss=0, invent=0)
        self.classes = classes

    def conclude(self, found):
        film = int(found.reading.radiograph.source[-4:])
        whole = super().conclude(found)
        piece = Component(area_mm2=50.0, bbox_px=(60, 200, 70, 210), centroid_px=(65.0, 245.0))
        mark = Landmarks(head_px=(110.0, 240.0), head_radius_px=22.0, shaft_axis=(1.0, 0.0))
        grade = self.classes[film]
        hip = finding(Side.LEFT, grade, abstained=None if grade is not None else "cropped")
        hip = hip.model_copy(update={"landmarks": mark, "components": (piece,) if grade else ()})
        return replace(whole, hips=(hip,))


class ReadPhantom(PhantomFilm):
    """A phantom film that a reader judged by eye."""

    reading = FilmReading()

    def read(self):
        film = super().read()
        return replace(film, masks=None, ignore=None, hips=(), reading=self.reading)


def read_set(reader, says, table):
    films = []
    for i, reading in enumerate(says):
        reader.watch(PhantomFilm(i, f"p{i}"))
        films.append(ReadPhantom(i, f"p{i}"))
        films[-1].reading = reading
    return Dataset(table, "readings", tuple(films))


def test_from_readings_to_figures_and_contact_sheet(tmp_path):
    ossified = FilmReading((HipReading(Side.LEFT, Says.YES, 1, 2),), "town", True)
    unsure = FilmReading((HipReading(Side.LEFT, Says.UNSURE),), "town")
    healthy = FilmReading(family="village", implant=False)
    says = [healthy, healthy, healthy, healthy, ossified, ossified, ossified, unsure]
    reader = Eyes([0, 0, 2, None, 2, 0, 4, 1])
    resampling = Resampling(100)
    table = tmp_path / "films.csv"
    table.write_text("as first read")
    films = read_set(reader, says, table)
    found = evaluate([films], reader, tmp_path, label="m", resampling=resampling)

    def value(name, stratum="all"):
        figure = lookup(found.figures, f"read.{name}", stratum)
        return figure and (figure.estimate.value, figure.estimate.n)

    assert value("healthy_above_0") == (pytest.approx(1 / 3), 3)
    assert value("healthy_above_0", "family: village") == (pytest.approx(1 / 3), 3)
    assert value("healthy_above_0", "family: town") is None
    assert value("sensitivity") == (pytest.approx(2 / 3), 3)
    assert value("sensitivity", "read class: I") == (pytest.approx(2 / 3), 3)
    assert value("within_range") == (pytest.approx(1 / 3), 3)
    assert value("abstained") == (pytest.approx(1 / 7), 7)
    assert value("false_pieces_per_film") == (0.25, 4)
    assert value("false_pieces_at.AIIS") == (0.25, 4)
    assert value("false_pieces_at.head") == (0.0, 4)
    assert value("metal_on_native_per_film")[1] == 4
    # Positives 0.95, 0.2, 0.95 against negatives 0.2, 0.2, 0.95 (``phantoms.finding``): of nine
    # pairs four are won and four are ties.
    assert value("auc") == (pytest.approx(6 / 9), 6)
    page = (tmp_path / "report.html").read_text()
    assert "missed: film-0005, left hip" in page
    assert "false: film-0002, left hip" in page
    assert "false: film-0007" not in page
    with (tmp_path / "readings.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["predicted"] for row in rows] == ["0", "0", "2", "", "2", "0", "4", "1"]
    assert [bool(row["picture"]) for row in rows].count(True) == 2
    assert json.loads((tmp_path / "metrics.json").read_text())["counts"]["hips"] == 8
    calls = reader.calls
    evaluate([films], reader, tmp_path, label="m", resampling=resampling)
    assert reader.calls == calls
    table.write_text("as corrected")
    evaluate([films], reader, tmp_path, label="m", resampling=resampling)
    assert reader.calls == 2 * calls

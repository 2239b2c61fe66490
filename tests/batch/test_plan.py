"""What a run plans before any pixel is read."""

from __future__ import annotations

from contextlib import closing

from dicom.build import dataset, film, save
from dicom.test_presentation import state

from hoseg.batch.plan import Plan, find_tasks
from hoseg.batch.settings import RunSettings
from hoseg.radiograph import Orientation, Side


def planned(folder, out):
    presentations = {}
    settings = RunSettings(out=out)
    with closing(Plan(find_tasks([folder], settings, presentations), presentations)) as plan:
        return {task.source.path.name: task for task in plan}


def test_a_film_knows_the_state_that_turns_it_wherever_that_lies(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    before, after = dataset(film()), dataset(film())
    save(state(after, 180, "N"), folder / "a.dcm")
    save(before, folder / "m.dcm")
    save(after, folder / "n.dcm")
    plain = planned(folder, tmp_path / "out")["m.dcm"]
    assert plain.source.presentation is None
    save(state(before, 0, "Y"), folder / "z.dcm")
    tasks = planned(folder, tmp_path / "out")
    assert tasks["n.dcm"].source.presentation == Orientation(Side.RIGHT, False, "presentation")
    assert tasks["m.dcm"].source.presentation == Orientation(Side.RIGHT, True, "presentation")
    assert tasks["m.dcm"].stamp != plain.stamp, "a film read before its state came is read again"
    assert tasks["z.dcm"].source.presentation is None

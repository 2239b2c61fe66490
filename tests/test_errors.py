"""Errors come back from worker processes as they were raised."""

import pickle

import pytest

from hoseg.errors import InputError, ModelError, SettingError


@pytest.mark.parametrize(
    "error",
    [
        InputError("film.dcm", "cut short", code="truncated"),
        SettingError("gap_mm", -1, "a distance", where="scene.yaml"),
        ModelError("no such model"),
    ],
)
def test_an_error_survives_the_way_back_from_a_worker(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert (back.code, back.exit_code) == (error.code, error.exit_code)
    assert vars(back) == vars(error)

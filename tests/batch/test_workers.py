import os
import time
from contextlib import closing

import pytest

from hoseg.batch import workers
from hoseg.batch.workers import Lost, WorkerPool
from hoseg.errors import DeviceError, HosegError


def make_square(number):
    return square


def square(number):
    if number == 13:
        os._exit(3)
    if number == 17:
        time.sleep(60)
    if number == 19:
        raise ValueError("nineteen")
    if number == 23:
        raise Stubborn(23, "no film is to blame")
    if number == 29:
        return lambda: number
    return number * number


class Stubborn(Exception):
    """Pickles, but cannot be made again from what it pickles as."""

    def __init__(self, code, text):
        super().__init__(text)


def run(numbers, count=2, limit_s=30.0):
    pool = WorkerPool(make_square, count, limit_s)
    try:
        return dict(pool.map_unordered(numbers))
    finally:
        pool.close()


def test_every_task_has_one_answer():
    assert run(range(12)) == {n: n * n for n in range(12)}


def test_no_tasks():
    assert run([]) == {}


def test_a_dead_process_loses_its_task_only():
    answers = run([1, 13, 2, 3])
    assert answers[13].code == "worker_died"
    assert "status 3" in answers[13].sentence
    assert {n: answers[n] for n in (1, 2, 3)} == {1: 1, 2: 4, 3: 9}


def test_a_hanging_task_is_given_up():
    answers = run([17, 4, 5], limit_s=1.0)
    assert answers[17] == Lost("timeout", "took longer than 1 s and was given up")
    assert (answers[4], answers[5]) == (16, 25)


def test_an_exception_stops_the_pool():
    with pytest.raises(ValueError, match="nineteen"):
        run([19])


@pytest.mark.parametrize(
    ("number", "what"), [(23, "Stubborn: no film is to blame"), (29, "lambda")]
)
def test_what_does_not_pickle_is_told_and_blames_no_film(number, what):
    with pytest.raises(HosegError, match=what) as caught:
        run([number])
    assert caught.value.code == "internal_error"


def cannot_begin(number):
    os._exit(4)


def test_a_process_that_cannot_begin_stops_the_pool():
    pool = WorkerPool(cannot_begin, 1, 30.0)
    try:
        with pytest.raises(
            DeviceError, match=r"could not begin \(it ended with status 4\).*--workers"
        ):
            list(pool.map_unordered([1, 2]))
    finally:
        pool.close()


def never_begin(number):
    time.sleep(60)


def test_a_process_that_hangs_before_it_begins_stops_the_pool(monkeypatch):
    """As one does whose card hangs: until now every film would have been waited for in turn."""
    monkeypatch.setattr(workers, "START_LIMIT_S", 0.5)
    with (
        closing(WorkerPool(never_begin, 1, 30.0)) as pool,
        pytest.raises(DeviceError, match=r"it hung for 0\.5 s.*card.*hoseg doctor"),
    ):
        list(pool.map_unordered([1, 2]))


def tell_number(number):
    def work(task):
        if task == 13:
            os._exit(3)
        return number, os.getpid()

    return work


def test_who_takes_the_place_of_a_dead_process_has_its_number():
    with closing(WorkerPool(tell_number, 2, 30.0)) as pool:
        answers = dict(pool.map_unordered([1, 2, 13, 3, 4, 5, 6]))
        assert isinstance(answers.pop(13), Lost)
        assert {number for number, _ in answers.values()} <= {0, 1}
        pool._kill(pool._workers[1])
        pool._workers[1] = pool._start(1)
        later = dict(pool.map_unordered([1, 2]))
    assert {number for number, _ in later.values()} == {0, 1}


def test_answers_that_are_there_come_before_an_exception(monkeypatch):
    def wait_for_all(handles, timeout):
        while not all(handle.poll(0.1) for handle in handles):
            pass
        return handles

    pool = WorkerPool(make_square, 2, 30.0)
    try:
        list(pool.map_unordered([1, 2]))  # both have begun before
        monkeypatch.setattr(workers, "wait", wait_for_all)
        answers = pool.map_unordered([19, 3])
        assert next(answers) == (3, 9)
        with pytest.raises(ValueError, match="nineteen"):
            next(answers)
    finally:
        pool.close()


def test_tasks_are_drawn_only_when_a_process_is_free():
    drawn = []

    def tasks():
        for number in range(6):
            drawn.append(number)
            yield number

    pool = WorkerPool(make_square, 2, 30.0)
    try:
        answers = pool.map_unordered(tasks())
        next(answers)
        assert len(drawn) <= 3
        assert len(list(answers)) == 5
    finally:
        pool.close()

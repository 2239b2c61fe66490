from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hoseg.errors import DeviceError
from hoseg.infer.deploy import deploy
from hoseg.infer.engine import Deployment
from hoseg.infer.gpu.engine import GpuEngine
from hoseg.infer.gpu.server import GpuServer, RemotePredictor
from hoseg.infer.options import Options

from .host_device import HostDevice
from .samples import make_film
from .test_gpu import HALVES, collimated_film, open_gpu


@pytest.fixture
def server(model):
    device = HostDevice()
    engine = GpuEngine([deploy(model)], device, Deployment("m@1", HALVES, 8, Options(batch=3)))
    with GpuServer(engine, "m@1", 0.5) as running:
        yield running


def test_workers_get_the_answers_of_their_own_films(server, model):
    films = [make_film((64, 64 + 32 * (i % 2)), seed=i) for i in range(6)]
    films += [collimated_film(seed=i) for i in range(2)]
    expected = [next(open_gpu(model).segment([film])) for film in films]

    def worker(film):
        remote = RemotePredictor(server.address)
        assert (remote.label, remote.spacing_mm) == ("m@1", 0.5)
        return remote.predict([film, film])

    with ThreadPoolExecutor(4) as pool:
        for twice, one in zip(pool.map(worker, films), expected, strict=True):
            for found in twice:
                np.testing.assert_array_equal(found.masks, one.masks)
                np.testing.assert_array_equal(found.probabilities, one.probabilities)
                assert found.model == "m@1"


def _in_a_process(address, seed, queue):
    found = RemotePredictor(address).predict([make_film((64, 64), seed=seed)])[0]
    queue.put((seed, int(found.masks.sum())))


def test_workers_may_be_processes_and_may_come_and_go(server, model):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    for seed in range(3):
        process = context.Process(target=_in_a_process, args=(server.address, seed, queue))
        process.start()
        seed, total = queue.get(timeout=60)
        process.join()
        assert process.exitcode == 0
        [expected] = open_gpu(model).segment([make_film((64, 64), seed=seed)])
        assert total == int(expected.masks.sum())


def test_workers_are_told_when_memory_runs_out(model):
    device = HostDevice(fits=0)
    engine = GpuEngine([deploy(model)], device, Deployment("m", HALVES, 8, Options(batch=2)))
    with GpuServer(engine, "m", 0.5) as running:
        remote = RemotePredictor(running.address)
        with pytest.raises(DeviceError, match="ran out of memory with one film"):
            remote.predict([make_film((64, 64))])


def test_workers_are_told_when_the_server_has_ended(server):
    remote = RemotePredictor(server.address)
    remote.predict([make_film((64, 64))])
    server.close()
    with pytest.raises(DeviceError, match="has ended"):
        remote.predict([make_film((64, 64))])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_no_worker_waits_for_ever_when_the_card_breaks_down(server, monkeypatch):
    def broken(films):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    waiting, late = RemotePredictor(server.address), RemotePredictor(server.address)
    monkeypatch.setattr(server._engine, "submit", broken)
    with ThreadPoolExecutor(1) as pool:
        for remote in (waiting, late):
            answer = pool.submit(remote.predict, [make_film((64, 64))])
            with pytest.raises(DeviceError, match="has ended"):
                answer.result(timeout=60)
    with pytest.raises(DeviceError, match="has ended"):
        RemotePredictor(server.address)

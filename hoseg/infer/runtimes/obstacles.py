"""Why a machine cannot run a row of the table: a sentence with what to do, or nothing."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def none(device: str) -> str:
    """Return "": nothing special is needed."""
    return ""


def cpu_bfloat16(device: str) -> str:
    """Whether the processor multiplies bfloat16 in hardware."""
    if processor_flags() & {"amx_bf16", "avx512_bf16", "bf16", "svebf16"}:
        return ""
    return "this processor has no bfloat16 instructions; use float32"


@cache
def processor_flags() -> frozenset[str]:
    """Instruction sets the operating system reports (Linux); empty when it reports none."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return frozenset()
    for line in path.read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def cuda(device: str) -> str:
    """Whether torch can run on this CUDA device, and why not.

    The driver is asked first, which needs no torch: importing it takes seconds.
    """
    problem = driver_problem()
    if problem:
        return problem
    try:
        return _torch_problem(int(device.partition(":")[2] or 0))
    except RuntimeError as error:  # a card that others have for themselves, or that hangs
        first = (str(error).splitlines() or [type(error).__name__])[0]
        return f"{device} does not answer ({first}); look at nvidia-smi, or use --device cpu"


def cuda_bfloat16(device: str) -> str:
    """Whether the card multiplies bfloat16 in hardware."""
    reason = cuda(device)
    if reason:
        return reason
    import torch

    if torch.cuda.get_device_capability(torch.device(device))[0] < 8:
        return "this card has no bfloat16 units; use float16 or float32"
    return ""


def _load_driver() -> ctypes.CDLL:
    return ctypes.CDLL(_DRIVER)


@cache
def driver_problem() -> str:
    """Return why the NVIDIA driver offers no device, or ""."""
    advice = "check nvidia-smi, install or update the NVIDIA driver, or use --device cpu"
    try:
        driver = _load_driver()
    except OSError:
        return f"no NVIDIA driver ({_DRIVER} is not there); {advice}"
    status = driver.cuInit(0)
    if status:
        return f"the NVIDIA driver does not start (cuInit returned {status}); {advice}"
    count = ctypes.c_int(0)
    driver.cuDeviceGetCount(ctypes.byref(count))
    if count.value == 0:
        return f"the NVIDIA driver shows no device (is CUDA_VISIBLE_DEVICES empty?); {advice}"
    return ""


@cache
def driver_version() -> int:
    """Return the newest CUDA the driver knows, e.g. 13000; 0 without a driver."""
    if driver_problem():
        return 0
    found = ctypes.c_int(0)
    _load_driver().cuDriverGetVersion(ctypes.byref(found))
    return found.value


def _torch_problem(index: int) -> str:
    """Return why this torch cannot use this device, or ""."""
    import torch

    if not torch.backends.cuda.is_built():
        return (
            f"torch {torch.__version__} was built without CUDA; install a CUDA build of torch "
            "(pytorch.org/get-started) or use --device cpu"
        )
    if not torch.cuda.is_available():
        return (
            f"torch {torch.__version__} for CUDA {torch.version.cuda} found no usable GPU: the "
            "driver may be older than this CUDA needs; update it, install a torch for an older "
            "CUDA, or use --device cpu"
        )
    count = torch.cuda.device_count()
    if index >= count:
        names = ", ".join(f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(count))
        return f"there is no cuda:{index}; this machine has {names}"
    return _card_too_old(index)


def _card_too_old(index: int) -> str:
    """Return why this torch has no code for this card, or ""."""
    import torch

    major, minor = torch.cuda.get_device_capability(index)
    built = [int("".join(filter(str.isdigit, arch))) for arch in torch.cuda.get_arch_list()]
    if not built or major * 10 + minor >= min(built):
        return ""
    return (
        f"{torch.cuda.get_device_name(index)} has compute capability {major}.{minor}; torch "
        f"{torch.__version__} starts at {min(built) / 10:.1f}: install an older torch, or use "
        "--device cpu"
    )

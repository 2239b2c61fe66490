"""Arithmetic that every x86-64 processor does alike.

Libraries choose faster instructions where a processor has them, and then the last digit of a sine
or of a sum may differ, and with it a pixel of a simulated film. Golden files are made, and
recomputed, with those that all have. ONNX Runtime alone cannot be told; its answers go through
rounding before they are seen.
"""

from __future__ import annotations

import os

PLAIN: dict[str, str] = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR "  # names since numpy 2.4
    "AVX F16C FMA3 AVX2 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL",
    "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,FP16,AVX2,AVX512-SKX",
    "OPENCV_IPP": "disabled",
    "OPENBLAS_CORETYPE": "Nehalem",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "NUMBA_DISABLE_INTEL_SVML": "1",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX,-FMA4",
}
"""Environment of a process that calculates so; it must be there before numpy is imported."""


def is_plain() -> bool:
    """Whether this process calculates so."""
    return all(os.environ.get(name) == value for name, value in PLAIN.items())

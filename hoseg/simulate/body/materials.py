"""What a ray can pass through, and how much each millimetre attenuates.

Mass attenuation coefficients: NIST XCOM / Hubbell & Seltzer (NISTIR 5632), cm^2/g.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Material(IntEnum):
    """Row of a stack of path lengths."""

    SOFT = 0
    FAT = 1
    AIR = 2
    CORTICAL = 3
    TRABECULAR = 4
    OSSIFICATION = 5
    CEMENT = 6
    TITANIUM = 7
    COBALT_CHROME = 8
    STEEL = 9
    POLYETHYLENE = 10
    CERAMIC = 11
    URINE = 12


_ENERGY_KEV = np.array([20, 30, 40, 50, 60, 80, 100, 150], float)

# Material: density (g/cm^3), coefficients at _ENERGY_KEV
_SOFT = (0.8230, 0.3790, 0.2688, 0.2264, 0.2048, 0.1823, 0.1693, 0.1492)
_BONE = (4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480)
_FAT = (0.5677, 0.3063, 0.2396, 0.2123, 0.1974, 0.1800, 0.1688, 0.1500)
_TABLE: dict[Material, tuple[float, tuple[float, ...]]] = {
    Material.SOFT: (1.06, _SOFT),
    Material.FAT: (0.95, _FAT),
    Material.AIR: (0.0012, _SOFT),
    Material.CORTICAL: (1.92, _BONE),
    # a third of bone by mass in marrow: 1.18 g/cm^3
    Material.TRABECULAR: (
        1.18,
        tuple(0.33 * b + 0.67 * f for b, f in zip(_BONE, _FAT, strict=True)),
    ),
    Material.OSSIFICATION: (
        1.5,
        tuple(0.7 * b + 0.3 * s for b, s in zip(_BONE, _SOFT, strict=True)),
    ),
    # PMMA with a tenth of barium sulphate
    Material.CEMENT: (1.25, (3.3, 1.2, 1.9, 1.15, 0.80, 0.47, 0.33, 0.20)),
    Material.TITANIUM: (4.43, (15.85, 4.972, 2.214, 1.213, 0.7661, 0.4052, 0.2721, 0.1649)),
    Material.COBALT_CHROME: (8.30, (27.0, 8.70, 3.87, 2.09, 1.285, 0.629, 0.389, 0.2015)),
    Material.STEEL: (7.90, (25.68, 8.176, 3.629, 1.958, 1.205, 0.5952, 0.3717, 0.1964)),
    Material.POLYETHYLENE: (0.94, (0.4315, 0.2706, 0.2275, 0.2084, 0.1970, 0.1823, 0.1719, 0.1534)),
    Material.CERAMIC: (3.95, (2.23, 0.775, 0.423, 0.295, 0.237, 0.186, 0.163, 0.137)),
    Material.URINE: (1.015, (0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505)),
}


def linear_attenuation_per_mm(energy_kev: float) -> NDArray[np.float64]:
    """(len(Material),) linear attenuation coefficients in 1/mm, log-log interpolated."""
    where = np.log(energy_kev)
    return np.array(
        [
            _TABLE[m][0] / 10 * np.exp(np.interp(where, np.log(_ENERGY_KEV), np.log(_TABLE[m][1])))
            for m in Material
        ]
    )

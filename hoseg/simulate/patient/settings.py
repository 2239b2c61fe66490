"""How often each thing occurs in simulated scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hoseg.errors import SettingError

Frequencies = Mapping[str, float]

# Brooker class of a hip. NATURAL is ours: about what series after total hip arthroplasty without
# prophylaxis report. BALANCED oversamples the rare classes, for training and stratified tests.
NATURAL: Frequencies = {"0": 0.60, "1": 0.20, "2": 0.10, "3": 0.07, "4": 0.03}
BALANCED: Frequencies = {"0": 0.2, "1": 0.2, "2": 0.2, "3": 0.2, "4": 0.2}

SITES = ("lateral", "central", "medial", "trochanteric", "supra_acetabular")
IMPLANTS = ("none", "total", "hemi", "resurfacing", "nail", "plate")
VIEWS = ("ap_pelvis", "ap_hip", "frog_leg", "judet")

# Which sites can make which class: a narrow gap or a bridge needs a bone on both sides.
BRIDGING_SITES = ("lateral", "central", "medial")
SITES_OF_CLASS = {1: SITES, 2: SITES, 3: BRIDGING_SITES, 4: BRIDGING_SITES}


@dataclass(frozen=True)
class SceneSettings:
    """Frequencies of everything a scene is made of. Values are shares; each table sums to 1.

    brooker: class of each hip
    sites: of the leading ossification of a hip
    implants: of each hip
    views: of the film
    gap_ii_mm, gap_iii_mm: range of the chosen gap in class II and class III
    osteophytes: share of hips with osteophytes or enthesophytes (they belong to the bone)
    bone_islands: share of hips with islands of compact bone inside pelvis or femur
    nonunions: share of hips whose greater trochanter is a fragment that has not healed
    bladder_ml: range of the filling of the bladder, drawn log-uniformly
    clips, balls: share of films with surgical clips, with a calibration ball
    spots: share of AP hip films that are small and oblique, as in fluoroscopy
    """

    brooker: Frequencies = field(default_factory=lambda: BALANCED)
    sites: Frequencies = field(
        default_factory=lambda: {
            "lateral": 0.42,
            "central": 0.2,
            "medial": 0.14,
            "trochanteric": 0.14,
            "supra_acetabular": 0.1,
        }
    )
    implants: Frequencies = field(
        default_factory=lambda: {
            "none": 0.45,
            "total": 0.3,
            "hemi": 0.07,
            "resurfacing": 0.03,
            "nail": 0.07,
            "plate": 0.08,
        }
    )
    views: Frequencies = field(
        default_factory=lambda: {"ap_pelvis": 0.5, "ap_hip": 0.34, "frog_leg": 0.08, "judet": 0.08}
    )
    gap_ii_mm: tuple[float, float] = (10.5, 28.0)
    gap_iii_mm: tuple[float, float] = (1.5, 9.5)
    osteophytes: float = 0.55
    nonunions: float = 0.025
    bone_islands: float = 0.0
    bladder_ml: tuple[float, float] = (25.0, 550.0)
    clips: float = 0.08
    balls: float = 0.06
    spots: float = 0.2

    def __post_init__(self) -> None:
        for name, allowed in (
            ("brooker", ("0", "1", "2", "3", "4")),
            ("sites", SITES),
            ("implants", IMPLANTS),
            ("views", VIEWS),
        ):
            _check_shares(name, getattr(self, name), allowed)
        for name in ("osteophytes", "nonunions", "bone_islands", "clips", "balls", "spots"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(name, getattr(self, name), "a share in [0, 1]")
        for name, low, high, what in (
            ("gap_ii_mm", 10, 60, "lengths in mm"),
            ("gap_iii_mm", 0.5, 10, "lengths in mm"),
            ("bladder_ml", 5, 1000, "volumes in ml"),
        ):
            first, last = getattr(self, name)
            if not low <= first <= last <= high:
                raise SettingError(name, (first, last), f"two rising {what}, {low} to {high}")
        for brooker, sites in SITES_OF_CLASS.items():
            wanted = self.brooker.get(str(brooker), 0) > 0
            if wanted and not any(self.sites.get(site, 0) for site in sites):
                raise SettingError(
                    "sites", dict(self.sites),
                    f"at least one of {', '.join(sites)}, where class {brooker} can grow",
                )  # fmt: skip


def _check_shares(name: str, shares: Frequencies, allowed: tuple[str, ...]) -> None:
    unknown = sorted(set(shares) - set(allowed))
    if unknown:
        raise SettingError(f"{name}.{unknown[0]}", shares[unknown[0]], f"{', '.join(allowed)}")
    for key, share in shares.items():
        if not 0 <= share <= 1:
            raise SettingError(f"{name}.{key}", share, "a share in [0, 1]")
    total = sum(shares.values())
    if abs(total - 1) > 1e-6:
        raise SettingError(name, dict(shares), f"shares that sum to 1, not {total:.4g}")

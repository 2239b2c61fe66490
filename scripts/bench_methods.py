"""One way of getting from DICOM files to masks on disk, timed in a process of its own.

Run by ``bench_inference.py``. Every method uses the same films, the same weights and the network
spacing of the model; they differ in what they are: hoseg's own path, or what notebooks and
frameworks do. Methods share no code with hoseg but the network and its weights.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median

import cv2
import numpy as np

FilmWork = Callable[[Path], None]
NetworkWork = Callable[[], None]


def _load_network(args: argparse.Namespace):
    import torch

    from hoseg.segment.weights import load_model

    model = load_model(args.model)
    network = model.network().eval().to(args.device)
    return torch, network, model.card.spacing_mm


def _read(path: Path) -> tuple[np.ndarray, float]:
    """Pixels and their spacing (mm), as a notebook reads them with pydicom."""
    import pydicom

    dataset = pydicom.dcmread(path)
    return dataset.pixel_array, float(dataset.PixelSpacing[0])


def _normalise(small: np.ndarray) -> np.ndarray:
    low, middle, high = np.percentile(small, (5, 50, 95))
    return np.clip((small - middle) / ((high - low) / 3.29), -4, 4).astype(np.float32)


def _pad(small: np.ndarray, multiple: int = 32) -> np.ndarray:
    height, width = (-(-n // multiple) * multiple for n in small.shape)
    return np.pad(small, ((0, height - small.shape[0]), (0, width - small.shape[1])))


def _write(args: argparse.Namespace, path: Path, masks: np.ndarray) -> None:
    cv2.imwrite(str(args.out / f"{path.stem}.png"), masks)


def plain_cv2(args: argparse.Namespace) -> tuple[FilmWork, NetworkWork]:
    torch, network, spacing_mm = _load_network(args)

    def forward(padded: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            batch = torch.from_numpy(padded)[None, None].to(args.device)
            return torch.sigmoid(network(batch)).cpu().numpy()[0]

    def film(path: Path) -> None:
        pixels, mm = _read(path)
        shape = [round(n * mm / spacing_mm) for n in pixels.shape]
        small = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA)
        found = forward(_pad(_normalise(small)))[:, : shape[0], : shape[1]]
        masks = np.zeros(pixels.shape, np.uint8)
        for bit, channel in enumerate(found):
            full = cv2.resize(channel, pixels.shape[::-1], interpolation=cv2.INTER_LINEAR)
            masks |= (full > 0.5).astype(np.uint8) << bit
        _write(args, path, masks)

    sample = np.random.default_rng(0).standard_normal(args.shape).astype(np.float32)
    return film, lambda: forward(sample)


def plain_skimage(args: argparse.Namespace) -> tuple[FilmWork, NetworkWork]:
    from skimage.transform import resize

    torch, network, spacing_mm = _load_network(args)

    def film(path: Path) -> None:
        pixels, mm = _read(path)
        shape = [round(n * mm / spacing_mm) for n in pixels.shape]
        small = resize(pixels.astype(np.float32), shape, order=1, anti_aliasing=True)
        with torch.no_grad():
            batch = torch.from_numpy(_pad(_normalise(small)))[None, None].to(args.device)
            found = torch.sigmoid(network(batch)).cpu().numpy()[0][:, : shape[0], : shape[1]]
        full = np.stack([resize(c, pixels.shape, order=1) for c in found])
        masks = sum((c > 0.5).astype(np.uint8) << bit for bit, c in enumerate(full))
        _write(args, path, masks)

    return film, plain_cv2(args)[1]


def monai(args: argparse.Namespace) -> tuple[FilmWork, NetworkWork]:
    from monai.inferers import sliding_window_inference

    torch, network, spacing_mm = _load_network(args)

    def forward(small: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            batch = torch.from_numpy(small)[None, None].to(args.device)
            logits = sliding_window_inference(batch, (512, 512), 4, network, overlap=0.25)
            return torch.sigmoid(logits).cpu().numpy()[0]

    def film(path: Path) -> None:
        pixels, mm = _read(path)
        shape = [round(n * mm / spacing_mm) for n in pixels.shape]
        small = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA)
        found = forward(_normalise(small))
        masks = np.zeros(pixels.shape, np.uint8)
        for bit, channel in enumerate(found):
            full = cv2.resize(channel, pixels.shape[::-1], interpolation=cv2.INTER_LINEAR)
            masks |= (full > 0.5).astype(np.uint8) << bit
        _write(args, path, masks)

    sample = np.random.default_rng(0).standard_normal(args.shape).astype(np.float32)
    return film, lambda: forward(sample)


def nnunet(args: argparse.Namespace) -> tuple[FilmWork, NetworkWork]:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    _, network, spacing_mm = _load_network(args)
    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=False, verbose=False,
        perform_everything_on_device=args.device != "cpu", device=torch.device(args.device),
        verbose_preprocessing=False, allow_tqdm=False,
    )  # fmt: skip
    plans = PlansManager(_nnunet_plans(spacing_mm))
    labels = {"background": 0, "pelvis": 1, "femur": 2, "implant": 3}
    dataset = {"channel_names": {"0": "xray"}, "labels": labels, "file_ending": ".png"}
    predictor.manual_initialization(
        network, plans, plans.get_configuration("2d"), None, dataset, "nnUNetTrainer", None
    )
    predictor.list_of_parameters = [network.state_dict()]

    def film(path: Path) -> None:
        pixels, mm = _read(path)
        image = pixels[None, None].astype(np.float32)
        found = predictor.predict_single_npy_array(image, {"spacing": [999.0, mm, mm]})
        _write(args, path, found[0].astype(np.uint8))

    sample = torch.randn((1, 1, *args.shape))
    return film, lambda: predictor.predict_sliding_window_return_logits(sample)


def _nnunet_plans(spacing_mm: float) -> dict:
    """Plans of a 2-D configuration as nnU-Net's planner writes them."""
    return {
        "dataset_name": "Dataset001_Hip",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "NaturalImage2DIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
        "configurations": {
            "2d": {
                "data_identifier": "nnUNetPlans_2d",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": [512, 512],
                "spacing": [spacing_mm, spacing_mm],
                "normalization_schemes": ["ZScoreNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": {
                    "is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None
                },
                "resampling_fn_seg_kwargs": {
                    "is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None
                },
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": {
                    "is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None
                },
                "architecture": {
                    "network_class_name": "not_used", "arch_kwargs": {}, "_kw_requires_import": []
                },
                "batch_dice": True,
            }
        },
    }  # fmt: skip


METHODS = {
    "plain loop, cv2": plain_cv2,
    "plain loop, skimage": plain_skimage,
    "MONAI sliding window": monai,
    "nnU-Net v2": nnunet,
}


def run_baseline(args: argparse.Namespace, folders: list[Path]) -> dict[str, dict]:
    """Each encoding: one warm-up film, then films for some seconds; forward passes alone."""
    args.shape = _padded_shape(args, folders[0])
    film, network = METHODS[args.method](args)
    alone = 1 / median(_times(network, 6)[1:])
    found = {}
    for folder in folders:
        paths = sorted(folder.glob("*.dcm"))
        film(paths[0])
        times: list[float] = []
        while len(times) < 2 or sum(times) < args.seconds:
            path = paths[(len(times) + 1) % len(paths)]
            times += _times(lambda path=path: film(path), 1)
        found[folder.name] = {"end_to_end": len(times) / sum(times), "network": alone}
    return found


def _times(work: NetworkWork, count: int) -> list[float]:
    """Seconds of each of some calls."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def _padded_shape(args: argparse.Namespace, folder: Path) -> tuple[int, int]:
    """What a film becomes at the network's spacing."""
    from hoseg.segment.weights import load_model

    spacing_mm = load_model(args.model).card.spacing_mm
    pixels, mm = _read(min(folder.glob("*.dcm")))
    height, width = (-(-round(n * mm / spacing_mm) // 32) * 32 for n in pixels.shape)
    return height, width


def run_hoseg(args: argparse.Namespace, folders: list[Path]) -> dict[str, dict]:
    """hoseg's own path: the batch the command line runs, down to masks.png."""
    from hoseg.batch.bench import measure
    from hoseg.cli.bench import open_bench_path

    bench_path = open_bench_path(
        args.model, args.device, args.runtime, args.precision, full_decode=args.full_decode
    )
    choice = asdict(bench_path.predictor.choice)
    found = {}
    for folder in folders:
        bench = measure(bench_path, sorted(folder.glob("*.dcm")), args.out, passes=1)
        rates = {"end_to_end": bench.end_to_end.median, "network": bench.network.median}
        found[folder.name] = asdict(bench) | rates | {"choice": choice}
    return found


def run_growth(args: argparse.Namespace, folders: list[Path]) -> dict[str, dict]:
    """hoseg on folders of any size: each film once, after a few to warm up."""
    from hoseg.batch.bench import measure_folder
    from hoseg.cli.bench import open_bench_path

    bench_path = open_bench_path(
        args.model, args.device, args.runtime, args.precision, full_decode=args.full_decode
    )
    found = {}
    for folder in folders:
        paths = sorted(folder.glob("*.dcm"))
        speed, memory_mb = measure_folder(bench_path, paths, args.out)
        found[folder.name] = {"films_s": speed, "peak_memory_mb": memory_mb}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("method")
    parser.add_argument("--films", type=Path, nargs="+", required=True, help="folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runtime")
    parser.add_argument("--precision")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--full-decode", action="store_true")
    args = parser.parse_args()
    from hoseg.batch.bench import peak_memory_mb

    # The baselines decode with what pydicom finds by itself.
    work = {"hoseg": run_hoseg, "growth": run_growth}.get(args.method, run_baseline)
    found = work(args, args.films)
    print(json.dumps({"folders": found, "peak_memory_mb": peak_memory_mb()}))


if __name__ == "__main__":
    main()

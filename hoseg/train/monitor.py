"""What a run shows and records: progress bar, CSV, TensorBoard."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from hoseg.train.config import TrainConfig

LOG = "log.csv"
LOG_EVERY = 50
COLUMNS = (
    "step", "seconds", "samples_per_s", "learning_rate", "loss", "score",
    "dice_pelvis", "dice_femur", "dice_implant", "dice_ossification",
    "found_ossification", "false_ossification",
)  # fmt: skip


def learning_curve(log: Path, rows: int = 16) -> str:
    """Markdown table of the validations in a ``log.csv``, thinned to about ``rows``; or ""."""
    if not log.exists():
        return ""
    with log.open(newline="", encoding="utf-8") as stream:
        judged = [row for row in csv.DictReader(stream) if row["score"]]
    if not judged:
        return ""
    thin = judged[:: max(1, len(judged) // rows)]
    if thin[-1] is not judged[-1]:
        thin.append(judged[-1])
    columns = ["step", "loss", *(name for name in COLUMNS if name.startswith(("dice", "f")))]
    lines = ["| " + " | ".join(name.replace("_", " ") for name in columns) + " |"]
    lines.append("|" + "---|" * len(columns))
    lines += ["| " + " | ".join(row[name] or "" for name in columns) + " |" for row in thin]
    return "\n".join(lines)


class Monitor:
    """Records a run in ``out``; does nothing in processes that are not the first.

    Rows of ``log.csv`` later than ``step`` (written between the last checkpoint and a kill) are
    dropped, so that a resumed run leaves the same log as an undisturbed one but for the times.
    """

    def __init__(self, config: TrainConfig, out: Path, step: int, *, active: bool) -> None:
        self.config, self.out, self.active = config, out, active
        self.first = step
        self.losses: list[Tensor] = []
        self.loss = float("nan")
        self.rate = 0.0
        self.lr = 0.0

    def __enter__(self) -> Self:
        if not self.active:
            return self
        self.console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
        self.progress = Progress(
            TextColumn("[bold]{task.fields[name]}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=self.console,
        )  # fmt: skip
        self.task = self.progress.add_task(
            "train", total=self.config.optimisation.steps, completed=self.first,
            name=self.config.name, note="",
        )  # fmt: skip
        self.board = SummaryWriter(str(self.out / "tensorboard"), purge_step=self.first)
        self._trim_log()
        self.began = self.marked = time.monotonic()
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.active:
            self.progress.stop()
            self.board.close()

    def tick(self, step: int, loss: Tensor, learning_rate: float) -> None:
        """Note one step; the loss is read from the device only now and then."""
        if not self.active:
            return
        self.losses.append(loss)
        self.lr = learning_rate
        self.progress.update(self.task, completed=step)
        if step % LOG_EVERY == 0:
            self._summarise(step)
            self._log(step, {})

    def _summarise(self, step: int) -> None:
        """Mean loss and speed since the last time."""
        if not self.losses:
            return
        now = time.monotonic()
        self.loss = float(sum(float(x) for x in self.losses) / len(self.losses))
        samples = len(self.losses) * self.config.optimisation.batch
        self.rate = samples / max(now - self.marked, 1e-9)
        self.marked, self.losses = now, []
        self.board.add_scalar("train/loss", self.loss, step)
        self.board.add_scalar("train/learning_rate", self.lr, step)
        note = f"loss {self.loss:.3f}, {self.rate:.1f} crops/s"
        self.progress.update(self.task, note=note)

    def report(self, step: int, metrics: dict[str, float]) -> None:
        """Record one validation."""
        if not self.active:
            return
        self._summarise(step)
        for name, value in metrics.items():
            self.board.add_scalar(f"validation/{name}", value, step)
        self.board.flush()
        self._log(step, metrics)
        figures = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        self.console.print(f"step {step}  loss {self.loss:.3f}  {self.rate:.1f} crops/s  {figures}")
        self.marked, self.losses = time.monotonic(), []

    def _log(self, step: int, metrics: dict[str, float]) -> None:
        row: dict[str, object] = {
            "step": step,
            "seconds": f"{time.monotonic() - self.began:.0f}",
            "samples_per_s": f"{self.rate:.1f}",
            "learning_rate": f"{self.lr:.3g}",
            "loss": f"{self.loss:.5f}",
        }
        row.update({name: f"{value:.4f}" for name, value in metrics.items()})
        path = self.out / LOG
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            if new:
                writer.writeheader()
            writer.writerow(row)

    def _trim_log(self) -> None:
        path = self.out / LOG
        if not path.exists():
            return
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if int(row["step"]) <= self.first]
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

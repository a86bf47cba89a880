"""What a person sees while the demo trains: one line that changes on a terminal, plain lines elsewhere."""

import time
from typing import Any, Dict, Set, TextIO, Tuple

from gradeline import wire
from gradeline.results import Epoch

_PLAIN_SECONDS = 5.0  # between two provisional lines where there is no terminal


class Progress:
    """Fed with the messages of a watch; writes to `out`."""

    def __init__(self, out: TextIO, epochs: int) -> None:
        self._out, self._epochs, self._terminal = out, epochs, out.isatty()
        self.revision = 0  # of the newest event shown
        self._shown = 0
        self._next_plain = 0.0
        self._losses: Dict[Tuple[str, int], float] = {}
        self._sealed: Set[Tuple[str, int]] = set()

    def show(self, response: Any) -> None:
        """One WatchExperimentResponse."""
        self.revision = max(self.revision, response.revision)
        kind = response.WhichOneof("event")
        if kind == "experiment":
            experiment = response.experiment
            reason = f": {experiment.state_reason}" if experiment.state_reason else ""
            self.line(f"{experiment.name} {wire.word(wire.STATES, experiment.state)}{reason}")
        elif kind == "sealed":
            self._seal(Epoch.of(response.sealed))
        elif kind == "progress":
            self._progress(response.progress)

    def line(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        print(text, file=self._out, flush=True)

    def _seal(self, epoch: Epoch) -> None:
        self._losses[epoch.phase, epoch.epoch] = epoch.loss
        self._sealed.add((epoch.phase, epoch.epoch))
        metrics = "".join(f"  {name} {value:.4f}" for name, value in epoch.metrics.items())
        verdict = "" if epoch.complete else "  (partial)"
        self.line(f"{self._where(epoch.phase, epoch.epoch)}  loss {epoch.loss:.4f}{metrics}{verdict}")

    def _progress(self, progress: Any) -> None:
        phase = wire.word(wire.PHASES, progress.phase).lower()
        if (phase, progress.epoch) in self._sealed or progress.batches == 0:
            return  # nothing new
        self._losses[phase, progress.epoch] = progress.loss
        losses = []
        for name in ("train", "validation"):
            known = [key for key in self._losses if key[0] == name]
            if known:
                losses.append(f"{name} loss {self._losses[max(known)]:.4f}")
        text = f"{self._where(phase, progress.epoch)}  {progress.batches:5} batches  {'  '.join(losses)}"
        text += f"  {progress.ranks_joined}/{progress.world_size} ranks"
        for late in progress.suspect:
            text += f"  rank {late.rank} silent for {late.silent_ms // 1000} s"
        if self._terminal:
            self._out.write("\r" + text.ljust(self._shown))
            self._out.flush()
            self._shown = len(text)
        elif time.monotonic() >= self._next_plain:
            self._next_plain = time.monotonic() + _PLAIN_SECONDS
            self.line(text)

    def _where(self, phase: str, epoch: int) -> str:
        return f"epoch {epoch + 1}/{self._epochs} {phase:<10}"

    def _clear(self) -> None:
        if self._shown:
            self._out.write("\r" + " " * self._shown + "\r")
            self._shown = 0

"""What an experiment leaves behind, to compare one that was disturbed with one that was not."""

import struct
import threading
from typing import Dict, Tuple

import gradeline
from gradeline import wire

Bits = Dict[Tuple[int, int], bytes]  # (phase, epoch) -> every number of a complete seal


def complete_seals(client: gradeline.Client, name: str, attempt: int = 0) -> Bits:
    """Of the newest attempt that ran each phase, or of one attempt."""
    found: Bits = {}
    for seal in client.pages("ListEpochs", "epochs", parent=name):
        if seal.verdict == wire.VERDICTS["COMPLETE"] and attempt in (0, seal.attempt):
            numbers = [seal.loss, seal.average, float(seal.batches), float(seal.items)]
            for total in seal.components:
                numbers += [total.numerator, total.denominator, total.value]
            numbers += [metric.value for metric in seal.metrics]
            found[seal.phase, seal.epoch] = struct.pack(f"<{len(numbers)}d", *numbers)
    return found


class Watching(threading.Thread):
    """Follows an experiment across restarts and attempts: every stored event once, in order."""

    def __init__(self, client: gradeline.Client, experiment: str) -> None:
        super().__init__(daemon=True)
        self.experiment, self._client = experiment, client
        self.revision, self.problems = 0, []
        self.stopping = threading.Event()

    def run(self) -> None:
        last = False
        while not last:
            last = self.stopping.is_set()
            for event in self._client.watch(self.experiment, self.revision):
                if event.WhichOneof("event") == "progress":
                    continue
                if event.revision != self.revision + 1:
                    self.problems.append(f"revision {event.revision} after {self.revision}")
                self.revision = event.revision
            self.stopping.wait(0.05)  # the attempt has ended; the next one may begin

"""What a finished demo came to, read back from the server, and whether it really learned."""

import hashlib
import struct
from typing import Any, Dict, List

import gradeline
from gradeline import wire


def facts(client: gradeline.Client, experiment: str, ranks_joined: int, seconds: float) -> Dict[str, Any]:
    """What an experiment came to; lossBits is equal for runs whose sealed losses are equal bit by bit."""
    ended = client.experiment(experiment)
    newest = {}  # the seal that counts: of the newest attempt that ran the phase
    for seal in client.pages("ListEpochs", "epochs", parent=ended.name):
        newest[seal.phase, seal.epoch] = seal
    seals = list(newest.values())
    phases: Dict[str, List[gradeline.Epoch]] = {"train": [], "validation": [], "test": []}
    for epoch in sorted(map(gradeline.Epoch.of, seals), key=lambda sealed: sealed.epoch):
        phases[epoch.phase].append(epoch)
    train, validation, test = phases["train"], phases["validation"], phases["test"]
    expected = 2 * ended.training.epochs + 1
    return {
        "experiment": ended.name,
        "state": wire.word(wire.STATES, ended.state),
        "reason": ended.state_reason,
        "attempts": ended.attempt,
        "epochs": len(train),
        "trainLoss": [epoch.loss for epoch in train],
        "validationLoss": [epoch.loss for epoch in validation],
        "validationAccuracy": [epoch.metrics.get("accuracy", 0.0) for epoch in validation],
        "testLoss": test[-1].loss if test else None,
        "testAccuracy": test[-1].metrics.get("accuracy", 0.0) if test else None,
        "seals": len(seals),
        "sealsComplete": len(seals) == expected and all(epoch.complete for group in phases.values() for epoch in group),
        "ranks": ended.training.world_size,
        "ranksJoined": ranks_joined,
        "batches": sum(seal.batches for seal in seals),
        "refused": sum(count.count for seal in seals for count in seal.refused),
        "seconds": round(seconds, 1),
        "lossBits": loss_bits(seals),
    }


def loss_bits(seals: List[Any]) -> str:
    """SHA-256 over every number of every sealed loss, in the order of epoch and phase."""
    digest = hashlib.sha256()
    for seal in sorted(seals, key=lambda seal: (seal.epoch, seal.phase)):
        digest.update(struct.pack("<iqdd", seal.phase, seal.epoch, seal.loss, seal.average))
        for total in seal.components:
            digest.update(struct.pack("<ddd", total.numerator, total.denominator, total.value))
    return digest.hexdigest()


def shortfalls(found: Dict[str, Any], accuracy: float) -> List[str]:
    """Why the demo does not count as having learned; empty when it does."""
    best = max(found["validationAccuracy"], default=0.0)
    checks = [
        (found["state"] == "SUCCEEDED", f"the experiment is {found['state']}, not SUCCEEDED"),
        (best >= accuracy, f"validation accuracy is {best:.4f}, below {accuracy}"),
        (found["sealsComplete"], "a phase is missing or sealed as partial"),
        (found["ranksJoined"] == found["ranks"], f"{found['ranksJoined']} of {found['ranks']} ranks joined"),
    ]
    return [text for good, text in checks if not good]

"""The two sides of a comparison: Gradeline and the probes in a child process, PyTorch in this one."""

import json
import mmap
import resource
import subprocess
import time

import numpy as np
import torch

from loss_peers import FLOAT_LABELS, PEERS

DTYPES = {"f32": np.float32, "i32": np.int32}


class Child:
    """loss_bench --serve."""

    def __init__(self, program):
        self.program = program
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            self.start()
            raise LookupError(f"loss_bench ended with {code} at {' '.join(map(str, words))}")
        answer = json.loads(line)
        if "error" in answer:
            raise LookupError(answer["error"])
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def timer(self, side):
        return lambda calls, repetitions: self.ask("time", side, calls, repetitions)


def huge(array, dtype):
    """A tensor of its own with the array's content, in huge pages where the machine gives them, as the child's inputs are."""
    wanted = torch.from_numpy(np.empty(0, dtype)).dtype
    size = array.size * np.dtype(dtype).itemsize
    if size < 2 << 20:
        return torch.from_numpy(array.astype(dtype))
    memory = mmap.mmap(-1, size)
    memory.madvise(mmap.MADV_HUGEPAGE)
    tensor = torch.frombuffer(memory, dtype=wanted).reshape(array.shape)
    tensor.numpy()[...] = array
    return tensor


class Torch:
    """A peer on the inputs of an opened case."""

    def __init__(self, key, opened):
        self.peer = PEERS[key]
        self.turn = 0
        first = {}
        for tensor in opened["tensors"]:
            array = np.fromfile(tensor["file"], DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
            label = np.float32 if key in FLOAT_LABELS else np.int64
            first[tensor["name"]] = (array, label if tensor["dtype"] == "i32" else np.float32)
        self.batches = []
        for _ in range(opened["batches"]):
            batch = {name: huge(array, dtype) for name, (array, dtype) in first.items()}
            batch["prediction"].requires_grad_()
            self.batches.append(batch)

    def step(self):
        batch = self.batches[self.turn % len(self.batches)]
        self.turn += 1
        loss = self.peer(batch)
        return loss.detach(), torch.autograd.grad(loss, batch["prediction"])[0]

    def compiled(self):
        other = object.__new__(Torch)
        other.__dict__.update(self.__dict__, peer=torch.compile(self.peer, dynamic=False))
        return other

    def difference(self, opened):
        """How far loss and gradient are from Gradeline's, next to the loss and to the largest element."""
        self.turn = 0
        loss, gradient = self.step()
        ours = np.fromfile(opened["gradient"], np.float32)
        theirs = gradient.numpy().ravel()
        loss_off = abs(float(loss) - opened["loss"]) / max(abs(opened["loss"]), 1e-30)
        return loss_off, float(np.abs(theirs - ours).max() / max(np.abs(ours).max(), 1e-30))

    def __call__(self, calls, repetitions):
        """Times as the child does: the least of the repetitions' means; CPU seconds and faults as means."""
        best = float("inf")
        before = resource.getrusage(resource.RUSAGE_SELF)
        for _ in range(repetitions):
            start = time.perf_counter()
            for _ in range(calls):
                self.step()
            best = min(best, (time.perf_counter() - start) / calls)
        after = resource.getrusage(resource.RUSAGE_SELF)
        all_calls = calls * repetitions
        return {"seconds": best,
                "cpu_seconds": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / all_calls,
                "minor_faults": (after.ru_minflt - before.ru_minflt) / all_calls}

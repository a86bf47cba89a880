"""Writes golden.txt of a loss: a peer's values in f64. Used by plugins/losses/<id>/make_golden.py:

    from golden import Golden, reals
    golden = Golden(__file__, f"PyTorch {torch.__version__}, F.mse_loss")
    golden.case("rows", {"beta": 0.5}, {"prediction": prediction, "target": target}, {"mse": (items.sum(), count)}, items)
    golden.write()

Run that with Debian's python3-torch: /usr/bin/python3 plugins/losses/<id>/make_golden.py. Text gives inputs exactly, and results
with all digits of a double. Where Gradeline deliberately differs from the peer, compose the value of the peer's losses of the items.
"""

import pathlib

import torch

torch.set_default_dtype(torch.float64)

HEAD = """# Golden values of {loss}, made by make_golden.py; see there.
# peer: what computed them. case NAME begins a case. param NAME VALUES... ; input NAME real|label SHAPE : VALUES ; results until the
# next case: component NAME NUMERATOR DENOMINATOR WEIGHT; loss = sum over components of WEIGHT * NUMERATOR / DENOMINATOR;
# items SHAPE : losses before any reduction; gradient NAME SHAPE : of the loss by that input. SHAPE is sizes with x between them.
peer {peer}
"""


def reals(generator, *shape, low=-3.0, high=3.0, per_unit=64):
    """Uniform multiples of 1 / per_unit. Sixty-fourths are exact in float too."""
    return torch.round((torch.rand(*shape, generator=generator) * (high - low) + low) * per_unit) / per_unit


def _word(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def _array(tensor):
    shape = "x".join(str(n) for n in tensor.shape) or "1"
    return shape + " : " + " ".join(repr(v) for v in tensor.detach().reshape(-1).tolist())


def _number(value):
    return repr(value.item() if torch.is_tensor(value) else float(value))


class Golden:
    def __init__(self, script, peer):
        self.folder = pathlib.Path(script).resolve().parent
        self.lines = [HEAD.format(loss=self.folder.name, peer=peer)]

    def case(self, name, params, inputs, components, items=None):
        """A case. params: numbers, bools, words (choices) or lists. inputs: tensors by name; what requires a gradient gets one.
        components: name -> (numerator, denominator) or (numerator, denominator, weight), in the order of the loss."""
        lines = [f"case {name}"]
        for key, value in params.items():
            lines.append(" ".join(["param", key, *map(_word, value if isinstance(value, list) else [value])]))
        for key, value in inputs.items():
            lines.append(f"input {key} {'real' if value.is_floating_point() else 'label'} {_array(value)}")
        loss = 0
        for key, (numerator, denominator, *weight) in components.items():
            weight = weight[0] if weight else 1.0
            loss = loss + (numerator / denominator if weight == 1 else weight * (numerator / denominator))
            lines.append(f"component {key} {_number(numerator)} {_number(denominator)} {float(weight)!r}")
        lines.append(f"loss {_number(loss)}")
        if items is not None:
            lines.append(f"items {_array(items)}")
        wanted = {key: value for key, value in inputs.items() if value.requires_grad}
        for key, gradient in zip(wanted, torch.autograd.grad(loss, list(wanted.values()))):
            lines.append(f"gradient {key} {_array(gradient)}")
        self.lines.append("\n".join(lines) + "\n")

    def write(self):
        (self.folder / "golden.txt").write_text("".join(self.lines))

"""The demo's learning rate over time."""

_WARM_UP = 0.2  # share of all steps


def warm_up_and_decay(step: int, steps: int) -> float:
    """Factor of the learning rate: rises to 1 over the first fifth of the steps, then falls to 0 in a straight line."""
    done = (step + 1) / (steps + 1)
    return done / _WARM_UP if done < _WARM_UP else (1 - done) / (1 - _WARM_UP)

"""Medians with bootstrap intervals."""

import numpy as np


def median_interval(values, resamples=2000):
    """[median, 2.5 % and 97.5 % quantile of the medians of resamples]: percentile bootstrap, fixed seed."""
    values = np.asarray(values, float)
    picks = np.random.default_rng(1).integers(0, len(values), (resamples, len(values)))
    low, high = np.quantile(np.median(values[picks], axis=1), [0.025, 0.975])
    return [float(np.median(values)), float(low), float(high)]

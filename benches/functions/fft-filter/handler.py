"""A small calculation with NumPy and SciPy: filter, spectrum, root."""

import numpy as np
from scipy.optimize import brentq
from scipy.signal import butter, freqz, lfilter

RATE_HZ = 100.0
SAMPLES = 500


def calculate(inputs: dict) -> dict:
    time = np.arange(SAMPLES) / RATE_HZ
    signal = np.sin(2 * np.pi * 2 * time) + inputs["noise"] * np.sin(2 * np.pi * 30 * time)
    above, below = butter(4, inputs["cutoff"], fs=RATE_HZ)
    amplitudes = 2 * np.abs(np.fft.rfft(lfilter(above, below, signal))) / SAMPLES

    def surplus(frequency: float) -> float:
        response = freqz(above, below, worN=[frequency], fs=RATE_HZ)[1]
        return float(np.abs(response[0]) ** 2 - 0.5)

    # The bilinear transform keeps the cutoff where it was asked for.
    half_power = brentq(surplus, 1e-3, RATE_HZ / 2 - 1e-3, xtol=1e-12)
    step = RATE_HZ / SAMPLES
    return {
        "amplitude": amplitudes[round(2 / step)],
        "rest": amplitudes[round(30 / step)],
        "half_power": half_power,
    }

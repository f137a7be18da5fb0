"""Statistics, spectrum and plot of a measured signal."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mecapy_runtime import outputs, progress

EXAMPLE = Path(__file__).parent / "data" / "measured.csv"
STEPS = 3


def calculate(inputs: dict) -> dict:
    """Files come in as paths and go out as paths in the folder of outputs."""
    progress(0, STEPS, "reading the signal")
    time, signal = read(Path(inputs.get("signal") or EXAMPLE))
    rate = (len(time) - 1) / (time[-1] - time[0])
    mean = signal.mean()
    swing = signal - mean

    progress(1, STEPS, "working out the spectrum")
    frequencies = np.fft.rfftfreq(len(signal), 1 / rate)
    amplitudes = 2 * np.abs(np.fft.rfft(swing)) / len(signal)
    spectrum = outputs() / "spectrum.csv"
    columns = {"frequency_hz": frequencies, "amplitude": amplitudes}
    pd.DataFrame(columns).to_csv(spectrum, index=False)

    progress(2, STEPS, "plotting")
    plot = outputs() / "report.png"
    draw(plot, inputs.get("label", "Signal"), (time, signal), (frequencies, amplitudes))

    progress(STEPS, STEPS, "done")
    rms = np.sqrt(np.mean(swing**2))
    peak = np.abs(swing).max()
    return {
        "samples": len(signal),
        "rate": rate,
        "mean": mean,
        "rms": rms,
        "peak": peak,
        "crest_factor": peak / rms if rms > 0 else None,
        "dominant_frequency": frequencies[amplitudes.argmax()],
        "plot": plot,
        "spectrum": spectrum,
    }


def read(path: Path) -> tuple:
    """Time and signal, checked; French spreadsheets write `;`, `,` and cp1252."""
    with path.open("rb") as file:
        header = file.readline()
    separator, decimal = (";", ",") if b";" in header else (",", ".")
    try:
        header.decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "cp1252"
    table = pd.read_csv(path, sep=separator, decimal=decimal, encoding=encoding)
    if table.shape[1] < 2 or len(table) < 4:
        raise ValueError(
            "expected a header, two columns (time in s, signal) and at least 4 rows, "
            f"found {table.shape[1]} columns and {len(table)} rows"
        )
    numbers = table.iloc[:, :2].apply(pd.to_numeric, errors="coerce")
    wrong = numbers.index[~np.isfinite(numbers).all(axis=1)]
    if len(wrong):
        raise ValueError(
            f"expected two numbers in line {wrong[0] + 2}, found "
            f"{table.iloc[wrong[0], :2].tolist()}: mend or remove the line"
        )
    time, signal = numbers.to_numpy(dtype=float).T
    steps = np.diff(time)
    if steps.min() <= 0 or np.ptp(steps) > 0.01 * steps.mean():
        raise ValueError(
            f"expected time at equal steps, found steps from {steps.min():g} s to "
            f"{steps.max():g} s: resample the signal"
        )
    return time, signal


def draw(path: Path, label: str, signal: tuple, spectrum: tuple) -> None:
    """Without pyplot, which keeps figures alive and looks for a display."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2)
    above.plot(*signal, linewidth=0.8)
    above.set(xlabel="Time in s", ylabel=label)
    below.plot(*spectrum, linewidth=0.8)
    below.set(xlabel="Frequency in Hz", ylabel="Amplitude")
    figure.savefig(path, dpi=100)

"""What calculations commonly ask of numeric libraries, gone through once in the template.

The interpreter adapts a library's Python code to what it sees, and libraries
look up and remember what they need, at their first use. Done here, no run pays
for it, and no run copies the pages that it is written to. Only libraries that
are loaded already are exercised; their answers are thrown away.
"""

import sys
import time
import warnings

# More than any instruction takes to be adapted.
TIMES = 24
# A library is left half rehearsed rather than a run kept waiting.
SECONDS = 0.25


def exercise():
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        # An ignored warning is not remembered as shown, so that a run shows it.
        warnings.simplefilter("ignore")
        for name, common in EXERCISES:
            module = sys.modules.get(name)
            if module is not None:
                repeat(common, numpy, module)


def repeat(common, numpy, module):
    until = time.monotonic() + SECONDS / len(EXERCISES)
    try:
        for _ in range(TIMES):
            common(numpy, module)
            if time.monotonic() > until:
                break
    except Exception:
        # A version without it: its runs adapt the code themselves.
        return


def arrays(np, _):
    x = np.linspace(0.0, 1.0, 50)
    y = np.sin(2.0 * np.pi * x) + 0.5 * x**2 - x / 3.0
    np.sum(y), y.sum(), y.mean(), y.std(), y.min(), y.max(), np.argmax(y), np.cumsum(y)
    np.where(y > 0.5, y, 0.0), y[y > 0.5], np.interp(0.3, x, y), np.abs(y), np.sqrt(np.abs(y))
    np.concatenate([x, y]), np.array([1.0, 2.0, 3.0]), np.zeros((3, 3)), np.ones(3), np.arange(9)
    np.outer(x[:3], y[:3]), np.diff(x), np.clip(y, 0.0, 1.0), np.round(y, 3), np.all(y > -9.0)
    matrix = np.eye(3) + np.arange(9.0).reshape(3, 3)
    matrix @ x[:3], np.dot(x, y), matrix.T, np.asarray(x), np.isfinite(y), x.tolist(), float(y[3])
    np.column_stack([x, y]), np.vstack([x, y]), np.polyfit(x, y, 2), np.polyval([1.0, 2.0], 0.5)


def linear(np, linalg):
    matrix = np.eye(3) + np.arange(9.0).reshape(3, 3)
    linalg.solve(matrix, matrix[0]), linalg.inv(matrix), linalg.det(matrix), linalg.norm(matrix[0])
    linalg.eigh(matrix + matrix.T), linalg.lstsq(matrix, matrix[0])


def fourier(np, fft):
    x = np.arange(64.0)
    fft.irfft(fft.rfft(x)), fft.ifft(fft.fft(x)), fft.rfftfreq(64, 0.1), fft.fftfreq(64, 0.1)


def optimization(np, optimize):
    optimize.brentq(lambda x: x * x - 2.0, 0.0, 2.0)
    optimize.root_scalar(lambda x: x * x - 2.0, bracket=(0.0, 2.0))
    optimize.minimize_scalar(lambda x: (x - 1.0) ** 2)
    optimize.newton(lambda x: x * x - 2.0, 1.0)
    optimize.fsolve(lambda x: x * x - 2.0, 1.0)
    optimize.minimize(lambda x: float((x[0] - 1.0) ** 2), [0.0])
    optimize.curve_fit(lambda x, a, b: a * x + b, np.arange(5.0), 2.0 * np.arange(5.0) + 1.0)


def integration(np, integrate):
    integrate.quad(lambda x: x * x, 0.0, 1.0)
    integrate.solve_ivp(lambda _, y: -y, (0.0, 0.1), [1.0])
    x = np.linspace(0.0, 1.0, 11)
    integrate.trapezoid(x, x), integrate.simpson(x, x=x), integrate.cumulative_trapezoid(x, x)


def interpolation(np, interpolate):
    x = np.arange(6.0)
    interpolate.interp1d(x, x)(2.5)
    interpolate.CubicSpline(x, x)(2.5)
    interpolate.PchipInterpolator(x, x)(2.5)


def filters(np, signal):
    above, below = signal.butter(2, 0.2)
    x = np.sin(np.arange(40.0))
    signal.lfilter(above, below, x), signal.filtfilt(above, below, x)
    signal.freqz(above, below, worN=[0.3]), signal.find_peaks(x), signal.welch(x, nperseg=16)


def statistics(np, stats):
    stats.norm.cdf(1.0), stats.norm.ppf(0.95), stats.norm.pdf(0.0), stats.t.ppf(0.95, 5)
    stats.linregress(np.arange(5.0), np.arange(5.0))


def matrices(np, linalg):
    matrix = np.eye(3) + np.arange(9.0).reshape(3, 3)
    linalg.solve(matrix, matrix[0]), linalg.eigh(matrix + matrix.T), linalg.inv(matrix)
    linalg.lu_factor(matrix), linalg.cho_factor(matrix @ matrix.T + np.eye(3))


def sparse(np, module):
    matrix = module.csr_matrix(np.eye(3))
    matrix @ np.ones(3), module.coo_matrix(np.eye(3)).tocsr()


EXERCISES = (
    ("numpy", arrays),
    ("numpy.linalg", linear),
    ("numpy.fft", fourier),
    ("scipy.optimize", optimization),
    ("scipy.integrate", integration),
    ("scipy.interpolate", interpolation),
    ("scipy.signal", filters),
    ("scipy.stats", statistics),
    ("scipy.linalg", matrices),
    ("scipy.sparse", sparse),
)

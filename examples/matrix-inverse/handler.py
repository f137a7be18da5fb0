"""Inverse, determinant and condition number of a square matrix."""

import numpy as np

# Beyond this condition number no digit of a 64-bit inverse is right.
LARGEST_CONDITION = 1 / np.finfo(float).eps


def calculate(inputs: dict) -> dict:
    """Refuses what has no inverse, or none that floats could tell."""
    rows = inputs["matrix"]
    lengths = {len(row) for row in rows}
    if lengths != {len(rows)}:
        found = ", ".join(str(len(row)) for row in rows[:10])
        raise ValueError(
            f"expected a square matrix, found {len(rows)} rows of {found} elements: "
            "give as many rows as columns"
        )
    matrix = np.array(rows, dtype=float)
    condition = float(np.linalg.cond(matrix))
    if not condition < LARGEST_CONDITION:
        raise ValueError(
            f"the matrix is singular to working precision (condition number {condition:.3g}): "
            "its rows depend on each other, so it has no inverse"
        )
    inverse = np.linalg.inv(matrix)
    return {
        "inverse": inverse,
        "determinant": np.linalg.det(matrix),
        "condition_number": condition,
        "residual": np.abs(matrix @ inverse - np.eye(len(rows))).max(),
    }

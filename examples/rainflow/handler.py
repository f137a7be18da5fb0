"""Rainflow cycle counting, ASTM E1049, with the package of the same name."""

from rainflow import count_cycles


def calculate(inputs: dict) -> dict:
    """Ranges and counts; half cycles count 0.5."""
    cycles = [
        {"range": load_range, "count": count}
        for load_range, count in count_cycles(inputs["series"])
    ]
    return {
        "cycles": cycles,
        "total": sum(cycle["count"] for cycle in cycles),
        "largest_range": max((cycle["range"] for cycle in cycles), default=0),
    }

"""The benchmark of the platform beside its alternatives; run by `scripts/bench`."""

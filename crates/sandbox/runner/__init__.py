"""What runs inside the sandbox, standard library only, Python 3.9 to 3.13."""

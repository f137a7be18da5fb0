"""Runs that take more than they may have."""

import os


def fork_bomb():
    made = 0
    try:
        while True:
            if os.fork() == 0:
                while True:
                    pass
            made += 1
    except OSError as error:
        return {"made": made, "error": error.errno}


def calculate(inputs):
    return globals()[inputs["attack"]]()

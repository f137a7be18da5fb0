"""Runs the code blocks of the documentation, as its readers would.

What a block is stands in its language; what is special about one stands in an
HTML comment right above it, which no reader of the page sees:

    <!-- not run: REASON -->    can't be run here; counted and listed
    <!-- setup: COMMANDS -->    typed before the block, not shown
    <!-- then: COMMANDS -->     typed after it
    <!-- into: FILE -->         added to this file; a `title` is a file of its own
    <!-- serves -->             `mecapy up`: goes on until the page ends
    <!-- exits: N -->           the exit code of the block's last command
    <!-- inputs: JSON -->       what this `calculate` is run with
    <!-- given: CODE -->        Python in front of a fragment
    <!-- raises: NAME -->       the exception that a fragment ends with
"""

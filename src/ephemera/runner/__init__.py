"""The program inside the machine. It imports nothing of Ephemera.

`runner.py` is sent along with every task's machine as a file, so the image needs nothing but
Python. The rest of the project uses two things of it: its source, and `why_not_json`, so that
arguments and results are held to the same rule.
"""

"""Random requests of several callers at once, against a real server and a model of what must hold.

`history.py` knows which events can follow each other, `known.py` what has been answered of each
machine, `test_model.py` asks.
"""

"""What both ends of the Machines API agree on: models, durations, ids, log lines. No I/O."""

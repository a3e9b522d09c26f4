"""The ways a machine can be run."""

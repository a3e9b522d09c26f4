"""One benchmark per number that SPECIFICATION.md promises; `python -m benchmarks` runs them."""

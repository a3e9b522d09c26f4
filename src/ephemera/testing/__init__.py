"""Contract suites and stand-ins, for our own tests and for those of our users."""

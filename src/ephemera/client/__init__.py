"""The Machines API from the caller's side."""

"""The program inside the machine. It imports nothing of Ephemera."""

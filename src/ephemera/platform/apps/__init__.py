"""Apps: which there are, how one is made, and how everything of one goes with it."""

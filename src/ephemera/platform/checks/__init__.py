"""Whether the programs of machines answer: asked every few seconds while they are started."""

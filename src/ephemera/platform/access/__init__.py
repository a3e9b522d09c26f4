"""Who may come in, and what they may touch: tokens, principals, and proofs for others."""

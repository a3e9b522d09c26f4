"""Where apps meet the world: regions, placements, private networks, addresses, certificates."""

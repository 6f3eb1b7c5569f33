"""Matrix products of any size: factors in packed panels, blocks that stay in the caches."""

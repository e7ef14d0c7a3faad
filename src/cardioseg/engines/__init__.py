"""Engines: run a network on prepared slices, each with the same answer to 1e-4."""

"""Runs beside a baseline: the same samples, the difference, and whether it is more than chance."""

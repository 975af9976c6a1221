"""Metrics: pure functions, a module per family."""

"""How sure scores are, and whether they differ: pure functions of numbers; seeds are given."""

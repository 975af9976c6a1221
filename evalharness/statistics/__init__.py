"""How sure scores are, and whether they differ: pure functions of numbers, with seeds as arguments."""

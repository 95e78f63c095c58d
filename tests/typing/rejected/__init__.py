"""Programs that type checkers have to reject, on each of their marked lines."""

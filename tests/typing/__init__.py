"""What type checkers have to accept, and what they have to reject."""

"""The examples, run as a user runs them, and their logic on its own."""

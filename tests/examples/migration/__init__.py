"""The examples of the migration guide, run."""

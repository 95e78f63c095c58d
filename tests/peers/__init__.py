"""What other libraries do, found out by running them; ``python -m tests.peers`` prints it, ``--write`` keeps it."""

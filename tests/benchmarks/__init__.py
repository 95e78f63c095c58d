"""What the library costs, as a multiple of the best hand-written code for the same job.

``python -m tests.benchmarks`` measures and prints; ``--help`` lists what else it does. The rooms:

* ``model``: what a row, a contestant and a job are.
* ``rows``: the rows, one file for each family, with every contestant's code.
* ``targets``: how many times the bound the library may cost at most.
* ``timing``, ``child``: one row measured in one process. ``harness``: several processes, and what they agree on.
* ``report``, ``comparison``, ``growth``, ``pictures``: what is made of it.
"""

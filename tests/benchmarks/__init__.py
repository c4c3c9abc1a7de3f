"""Speed, cost and delay, measured: ``python -m tests.benchmarks --help``. Not collected by pytest.

Absolute times depend on the machine and on what else it does; ratios within one run are what counts.
"""

"""What is decided, and nothing else.

The law of this room: no Airflow, not through others either; no input or output; no clock and no chance of its own:
the time and a source of chance come in as arguments. Whoever reads a module of this room needs to know nothing but
values. ``tests/unit/test_architecture.py`` keeps the law.
"""

"""A stateful stand-in for Runway and its gateways: ``python -m airflow_runway.emulator``.

It takes creations, lets time pass, charges a ledger, hosts media and renders real, playable files, without a
key and without a bill. Nothing in here imports Airflow, and nothing outside imports from here except
:mod:`airflow_runway.emulator.process`, which needs the standard library only.
"""

"""A stateful stand-in for Runway and its gateways: ``python -m airflow_runway.emulator``.

It takes creations, lets time pass, charges a ledger, hosts media and renders real, playable files, without a
key and without a bill. Nothing in here imports Airflow, and nothing outside imports from here except
:mod:`airflow_runway.emulator.process`, which needs the standard library only.

============  ============================================================  ==================================
room          what lives there                                              may import
============  ============================================================  ==================================
``world``     tasks over time, prices, charges, settings                    no other room
``checking``  the catalogue of the official API, schemas, strict JSON       no other room
``dialects``  bodies and error envelopes of each service                    ``world``
``rendering`` from a request to a job, from a job to a file                 ``world``
``faults``    rules by which it misbehaves, and the wrong answers           ``world``
``files``     inputs, uploads, hosted media, outputs behind signed links    ``world``, ``rendering``
``api``       routes of all services, request log, callbacks                all of the above
``control``   ``/_emulator/...``: look inside, change things                all of the above
============  ============================================================  ==================================

Beside the rooms: ``state`` (one object of each kind), ``app`` (their routes as one application), ``server``
(runs it), ``__main__`` (command line), ``process`` (the emulator as a child process, for tests and the demo).
"""

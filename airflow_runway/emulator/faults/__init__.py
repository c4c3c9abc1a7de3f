"""Misbehaving on purpose: the rules of ``POST /_emulator/faults``, and the wrong answers that they ask for.

Law: knows nothing of routes, bodies or gateways; whoever serves a request asks the book and obeys. Of the
emulator, only ``world`` is imported.
"""

"""``/_emulator/...``: what tests and people use to look inside the emulator and to change it.

Law: the top room: it may look into every other one, and none of them imports it.
"""

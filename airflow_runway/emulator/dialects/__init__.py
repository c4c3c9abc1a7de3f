"""How each service says something: its bodies for a task, and its envelopes for an error (see ``contracts``).

Law: a task of the world, or what is wrong, goes in; a body or an error answer comes out. No request is read,
nothing is decided, nothing is stored. Of the emulator, only ``world`` is imported.
"""

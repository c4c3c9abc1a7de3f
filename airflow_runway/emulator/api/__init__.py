"""The services on the wire: who is let in, what each route does, what was asked, and callbacks going out.

Law: each group of routes is a class that is handed the few things it uses; it never sees the whole emulator.
All rooms but ``control`` may be imported.
"""

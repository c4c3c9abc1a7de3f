"""The emulated world: tasks and what becomes of them over time, what they cost, and the settings in force.

Law: pure state. No HTTP, no JSON, no files (a path may be kept, never opened), no other room of the emulator.
"""

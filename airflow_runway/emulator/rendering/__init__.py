"""Real, playable files: from a request to a job, from a job to an H.264 video, a PNG or a WAV.

Law: knows pictures and videos, no HTTP and no gateways. Of the emulator, only ``world`` is imported.
"""

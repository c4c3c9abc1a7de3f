"""Files that come in (prompt images, uploads, hosted media) and go out (outputs behind signed links).

Law: keeps, checks and finds files; requests and answers are for ``api``. Of the emulator, only ``world`` and
``rendering`` are imported.
"""

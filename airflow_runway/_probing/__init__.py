"""Strangers' files are looked into here, in a process of its own that has nothing: no connection, no environment."""

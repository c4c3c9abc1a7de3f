"""Operators as decorators of TaskFlow functions."""

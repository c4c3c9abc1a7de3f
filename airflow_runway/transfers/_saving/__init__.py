"""How outputs get into storage."""

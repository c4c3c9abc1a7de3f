"""What is said to a gateway, and what its answers mean."""

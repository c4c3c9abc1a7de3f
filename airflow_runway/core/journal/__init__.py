"""What is written down of a submission, or of a batch, and what another try does about it."""

"""The parts of RunwayBatchOperator."""

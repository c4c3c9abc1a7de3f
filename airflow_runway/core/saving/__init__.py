"""What a host promises of an output file, and under which name it is saved."""

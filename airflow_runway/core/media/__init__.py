"""Which fields of a request name a file, and which files a gateway takes."""

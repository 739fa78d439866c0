"""The comparison page: what it shows is read from the source code and from what the tests have recorded."""

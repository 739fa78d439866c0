"""The live engine of the tests; started once for all of a session's tests."""

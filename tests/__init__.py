"""The tests of asyncutils-rx."""

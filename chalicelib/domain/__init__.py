"""The rules of a verification, pure: no I/O, no clock, no environment."""

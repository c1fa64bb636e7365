"""Use cases as plain functions; what they need comes in as keyword arguments."""

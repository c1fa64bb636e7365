"""Stand-ins for the ports: their state is visible, and faults are put in by attributes."""

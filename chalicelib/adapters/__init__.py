"""What we call: each module is one port made real with one library."""

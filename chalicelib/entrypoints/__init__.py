"""What calls us: decode, call one use case, encode."""

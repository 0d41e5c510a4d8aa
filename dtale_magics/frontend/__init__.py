"""What the user types, reads and clicks."""

"""What is typed: one line or cell, read as Python and options, and completed."""

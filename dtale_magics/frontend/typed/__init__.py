"""What users type: one line or cell, read as Python and options, and completed."""

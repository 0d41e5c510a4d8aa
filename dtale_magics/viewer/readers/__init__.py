"""Whatever holds a table, read into a pandas frame."""

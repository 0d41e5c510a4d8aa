"""Read anything that holds a table into a pandas frame."""

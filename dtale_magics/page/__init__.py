"""The pod's page, and links by which one can only look."""

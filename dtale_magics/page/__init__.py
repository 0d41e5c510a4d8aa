"""The pod's page, and look-only links."""

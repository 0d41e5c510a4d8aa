"""The pod's ports, and who of its notebooks serves them."""

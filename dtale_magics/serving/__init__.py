"""Sockets, connections, HTTP, and the guard in front of D-Tale."""

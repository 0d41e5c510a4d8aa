"""Sockets and connections, up to the request that a WSGI application answers."""

"""What the operating system and Jupyter tell about processes and sockets."""

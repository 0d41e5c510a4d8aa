"""What is changed in D-Tale while the extension is loaded, and put back afterwards."""

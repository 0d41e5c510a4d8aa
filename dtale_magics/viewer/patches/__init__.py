"""What is changed about D-Tale while the extension is loaded, and put back afterwards."""

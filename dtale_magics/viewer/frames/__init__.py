"""Any frame, exact and at once: from whatever holds a table to what D-Tale's page gets."""

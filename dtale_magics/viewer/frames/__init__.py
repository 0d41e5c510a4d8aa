"""Any frame, exactly and quickly: from the user's frame to what D-Tale's page gets."""

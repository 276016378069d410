"""Pages that show a map and its quality, or why there is no map."""

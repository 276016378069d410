"""What goes wrong with a scan: images spoiled on purpose, from harmless to ruinous."""

"""The demonstration: a scanner, the service and a PACS on this machine, and a map that can be checked."""

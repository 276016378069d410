"""What is made beside the susceptibility map."""

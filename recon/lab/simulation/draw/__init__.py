"""Everything random about a simulated scan, drawn before anything is computed."""

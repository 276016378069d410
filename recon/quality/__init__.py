"""How far a map can be trusted: figures, verdict, quality page."""

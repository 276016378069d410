"""The quality of a map: figures, verdict, quality page."""

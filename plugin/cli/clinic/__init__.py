"""Commands of the people who run the service beside the scanner."""

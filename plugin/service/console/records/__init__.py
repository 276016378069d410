"""What is known of the series that were received: read for the console, which shows it."""

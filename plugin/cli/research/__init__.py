"""Commands that need no service: folders in, folders out."""

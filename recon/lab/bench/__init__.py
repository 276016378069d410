"""Speed of the physics beside peers."""

"""From a job to delivered objects: description, workflow, deliveries."""

"""From an association to a job: receive, spool, index, assemble."""

"""The operator console: pages in a browser that show what the service does, and what a person may do about it.

Pages are rendered here; htmx refreshes the live parts, and every page works without it. They are read from the index,
the jobs and the spool, as ``qsm-plugin status`` is, in a process of its own: whatever happens here, images are received
and jobs are run.
"""

"""The regional report: susceptibility of the deep grey nuclei, found by registering a template."""

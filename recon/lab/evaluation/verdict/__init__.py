"""The study of the verdict: scans good and spoiled, what it calls them, and the expected error fitted on them."""

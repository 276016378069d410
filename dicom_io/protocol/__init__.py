"""The site's protocol beside the recommendations of the field: what is fine, what costs accuracy, what must change."""

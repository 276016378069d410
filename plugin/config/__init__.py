"""A site's configuration: settings, rules, products switched on, and their checks."""

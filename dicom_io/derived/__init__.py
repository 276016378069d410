"""Derived objects: what they take over, what they say, how their pixels mean something."""

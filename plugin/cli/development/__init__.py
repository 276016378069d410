"""Commands of the people who develop the method: train, evaluate, time."""

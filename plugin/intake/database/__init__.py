"""The tables of the index, in an SQLite file on one host, in PostgreSQL on several."""

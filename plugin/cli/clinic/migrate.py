"""``qsm-plugin migrate``: bring the databases of an older version of the program up to date."""

from __future__ import annotations

from plugin.cli.console import ConfigOption, load_settings, tell


def migrate(config: ConfigOption = None) -> None:
    """Bring the index and the database of the jobs up to date; stop the service first, and back both up."""
    from plugin.intake.index import migrate_index
    from plugin.jobs.queue import prepare_database

    settings = load_settings(config)
    migrate_index(settings)
    prepare_database(settings, migrating=True)
    tell(f"The databases of {settings.spool} are up to date.")

"""``qsm-plugin migrate``: bring the databases of an older version of the program up to date."""

from __future__ import annotations

from plugin.cli.console import ConfigOption, JsonOption, load_settings, progress_shown, show, tell

EXAMPLES = ("qsm-plugin migrate --config site.toml",)


def migrate(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Bring the index and the database of the jobs up to date; stop the service first, and back both up."""
    from plugin.intake.index import migrate_index
    from plugin.jobs.queue import prepare_database

    settings = load_settings(config)
    with progress_shown("migrate", as_json=as_json) as say:
        say("index of the images")
        migrate_index(settings)
        say("database of the jobs")
        prepare_database(settings, migrating=True)
    found = {"spool": str(settings.spool), "migrated": True}
    show(found, as_json, lambda _found: tell(f"The databases of {settings.spool} are up to date."))

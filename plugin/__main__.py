"""``python -m plugin``: the command line without an installed script."""

from plugin.cli import main

main()

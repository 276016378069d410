"""What the configuration of a site has to allow for the self-test, whatever the site says."""

from __future__ import annotations

from typing import Final

from plugin.config.rules import Rule
from plugin.config.settings import Caller, Settings

SELF_TEST: Final = "self-test"
"""Name of the destination that the self-test's map goes back to, and of the rule that has it reconstructed."""

SELF_TEST_AE: Final = "QSM-SELFTEST"
"""Calling AE title of the self-test; what it sends goes to no destination of the site."""

_EVERYWHERE = {"0.0.0.0", "::", "localhost"}


def with_self_test(settings: Settings) -> Settings:
    """Admit the self-test as a caller from this machine, and have what it sends reconstructed."""
    rule = Rule(name=SELF_TEST, action="reconstruct", calling_ae=SELF_TEST_AE)
    rules = (rule, *(one for one in settings.rules if one.name != SELF_TEST))
    callers = settings.allowed_callers
    if callers:
        callers = (*callers, Caller(ae_title=SELF_TEST_AE, host=own_host(settings)))
    return settings.model_copy(update={"rules": rules, "allowed_callers": callers})


def own_host(settings: Settings) -> str:
    """Return the address at which this machine reaches its own receiver."""
    return "127.0.0.1" if settings.bind in _EVERYWHERE else settings.bind

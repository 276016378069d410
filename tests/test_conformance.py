"""The conformance statement says what the code does."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from dicom_io.derived.product import Product
from dicom_io.derived.products import PRODUCTS, QSM, REGIONS
from dicom_io.derived.sr import EXPECTED_ERROR, SITES
from dicom_io.identity import IMPLEMENTATION_CLASS_UID, INSTANCE_CREATOR_UID
from plugin.audit import (
    Participant,
    application_activity,
    configuration_changed,
    console_used,
    security_alert,
    user_authenticated,
)
from plugin.config.settings import Settings
from plugin.network.send import DELIVERED
from tests.support.everything import MR_IMAGES

STATEMENT = (Path(__file__).parents[1] / "deploy" / "CONFORMANCE.md").read_text(encoding="utf-8").replace("−", "-")
CONTRASTS = [name for name in MR_IMAGES if name != QSM]


def product_row(product: Product) -> str:
    default = {QSM: "always", REGIONS.name: "with `regional-report`"}.get(product.name, ("off", "on")[product.default])
    sop_class = product.sop_class_uid.name
    return f"| `{product.name}` | {product.number} | {sop_class} | {default} | {product.description} |"


def contrast_row(name: str) -> str:
    images = MR_IMAGES[name]
    unit, quantity = (
        code and f'({code.value}, {code.scheme_designator}, "{code.meaning}")'
        for code in (images.unit, images.quantity)
    )
    scales = " | ".join(f"{profile.slope}, {profile.intercept}" for profile in images.profiles.values())
    window = f"{images.windows[0].center} / {images.windows[0].width}"
    flavor = "\\".join(images.flavor)
    return f"| `{name}` | {flavor} | {unit} | {quantity or 'none'} | {scales} | {window} |"


@pytest.mark.parametrize("product", [*PRODUCTS.values(), REGIONS], ids=lambda product: product.name)
def test_each_product_is_described_as_the_table_has_it(product: Product) -> None:
    assert product_row(product) in STATEMENT.splitlines()


@pytest.mark.parametrize("name", CONTRASTS)
def test_each_contrast_is_encoded_as_stated(name: str) -> None:
    assert contrast_row(name) in STATEMENT.splitlines()


def test_the_map_is_encoded_as_stated() -> None:
    qsm = MR_IMAGES[QSM]
    for profile in qsm.profiles.values():
        assert f"{profile.slope}, {profile.intercept}, US" in STATEMENT
    centers = "\\".join(str(window.center) for window in qsm.windows)
    widths = "\\".join(str(window.width) for window in qsm.windows)
    assert f"{centers}, {widths}" in STATEMENT
    assert "DERIVED\\PRIMARY\\" + "\\".join(qsm.flavor) in STATEMENT


def test_every_code_status_and_identifier_is_named() -> None:
    own = [EXPECTED_ERROR, *SITES.values(), *(images.quantity for images in MR_IMAGES.values() if images.quantity)]
    for code in own:
        assert code.scheme_designator != "99QSMPLUGIN" or f"`{code.value}`" in STATEMENT
    for status in DELIVERED:
        assert f"0x{status:04X}" in STATEMENT
    assert IMPLEMENTATION_CLASS_UID in STATEMENT
    assert INSTANCE_CREATOR_UID in STATEMENT


def test_every_audit_message_is_described_with_its_codes() -> None:
    settings, one = Settings(), Participant(ae_title="ada", host="10.0.0.1")
    messages = [
        *(application_activity(settings, started=started) for started in (True, False)),
        *(user_authenticated(settings, one, began=began) for began in (True, False)),
        *(console_used(settings, one, "retry", roles=roles) for roles in (True, False)),
        security_alert(settings, "unknown", one),
        configuration_changed(settings, ["mistake"]),
    ]
    rows = [line for line in STATEMENT.splitlines() if line.startswith("| ")]
    for message in messages:
        event = ElementTree.fromstring(message)[0]
        named = [f"{code.get('csd-code')} {code.get('originalText')}" for code in event]
        assert [row for row in rows if all(name in row for name in named)], named

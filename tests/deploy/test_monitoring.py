"""Alerts and dashboard: Prometheus' own checks, and that every figure they name is one that the service gives."""

import inspect
import json
import re
import shutil

import pytest

from plugin.service import metrics
from tests.deploy.support import DEPLOY, documents, run

RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "qsm-plugin.json").read_text())
ALERTS = [rule for group in documents(RULES)[0]["groups"] for rule in group["rules"]]


def given():
    """Return the names of what the collector gives."""
    source = inspect.getsource(metrics)
    names = set(re.findall(r'"(qsm_[a-z_]+)"', source))
    names |= {f"qsm_images_{name}" for name in re.findall(r'^ +\("(\w+)", "', source, flags=re.MULTILINE)}
    counters = set(re.findall(r'CounterMetricFamily\("(\w+)"', source))
    return names - counters | {f"{name}_total" for name in counters}


def named(text):
    """Return the names in rules or a dashboard."""
    return set(re.findall(r"\bqsm_[a-z_]+", text))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)")
def test_prometheus_accepts_configuration_and_rules_and_each_alert_fires_when_it_should():
    folder = DEPLOY / "prometheus"
    run("promtool", "check", "config", "prometheus.yml", cwd=folder)
    run("promtool", "check", "rules", "alerts.yml", cwd=folder)
    run("promtool", "test", "rules", "alerts_test.yml", cwd=folder)


def test_every_alert_is_tested_and_says_how_severe_it_is():
    tested = (DEPLOY / "prometheus" / "alerts_test.yml").read_text()
    for rule in ALERTS:
        assert f'alertname="{rule["alert"]}"' in tested
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"].endswith((".", "}}."))


def test_rules_and_dashboard_name_figures_that_there_are():
    assert named(RULES.read_text()) <= given()
    assert named(json.dumps(DASHBOARD)) <= given()


def test_the_dashboard_shows_every_figure():
    assert given() - named(json.dumps(DASHBOARD)) == set()


def test_the_dashboard_is_provisioned_where_the_compose_file_mounts_it():
    compose = (DEPLOY / "compose.yaml").read_text()
    provider = documents(DEPLOY / "grafana" / "provisioning" / "dashboards" / "files.yaml")[0]["providers"][0]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in compose
    source = documents(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml")[0]["datasources"][0]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}

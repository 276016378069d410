"""The manifests: valid for the API, and what SCALING.md asks of several hosts."""

import warnings

import pytest

from plugin.config.settings import read_settings
from tests.deploy.support import DEPLOY, documents

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kubernetes_validate

FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
OBJECTS = {(one["kind"], one["metadata"]["name"]): one for path in FILES for one in documents(path)}
SET = OBJECTS["StatefulSet", "qsm-plugin"]
POD = SET["spec"]["template"]["spec"]
PLUGIN = POD["containers"][0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_manifest_is_valid_and_has_no_unknown_field(path):
    for one in documents(path):
        kubernetes_validate.validate(one, "1.37", strict=True)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    file = tmp_path_factory.mktemp("kubernetes") / "site.toml"
    file.write_text(OBJECTS["ConfigMap", "qsm-plugin"]["data"]["site.toml"])
    return read_settings(file)


def test_the_hosts_share_spool_and_database_and_have_a_disk_and_a_name_each(settings):
    mounts = {one["mountPath"]: one for one in PLUGIN["volumeMounts"]}
    assert str(settings.spool).startswith("/spool/")
    assert mounts["/spool"]["name"] == "spool"
    assert OBJECTS["PersistentVolumeClaim", "qsm-spool"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert str(settings.local_folder).startswith("/var/lib/qsm-plugin/")
    own = SET["spec"]["volumeClaimTemplates"][0]
    assert mounts["/var/lib/qsm-plugin"]["name"] == own["metadata"]["name"]
    assert settings.database_url.startswith("postgresql://")
    assert settings.host_name == ""  # that of the pod, which a StatefulSet keeps


def test_no_secret_stands_in_a_manifest(settings):
    assert not [kind for kind, _ in OBJECTS if kind == "Secret"]
    assert ":" not in settings.database_url.partition("//")[2].partition("@")[0]
    reference = PLUGIN["env"][0]["valueFrom"]["secretKeyRef"]
    assert PLUGIN["env"][0]["name"] == "PGPASSWORD"
    assert "optional" not in reference


def test_ports_and_probes_are_those_of_the_configuration(settings):
    ports = {one["name"]: one["containerPort"] for one in PLUGIN["ports"]}
    assert ports == {"dicom": settings.port, "metrics": settings.monitoring.port}
    assert PLUGIN["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert PLUGIN["readinessProbe"]["tcpSocket"]["port"] == "dicom"
    assert OBJECTS["Service", "qsm-plugin-dicom"]["spec"]["externalTrafficPolicy"] == "Local"


def test_a_pod_has_no_privileges_and_writes_to_its_volumes_alone():
    assert OBJECTS["Namespace", "qsm"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert POD["securityContext"]["runAsNonRoot"]
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not POD["automountServiceAccountToken"]
    for container in (*POD["containers"], *POD["initContainers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_it_is_prepared_before_it_serves():
    assert POD["initContainers"][0]["args"] == ["prepare"]
    assert POD["initContainers"][0]["volumeMounts"] == PLUGIN["volumeMounts"]
    assert PLUGIN["args"] == ["serve"]


def test_everything_is_in_one_namespace_and_selects_the_pods():
    labels = SET["spec"]["template"]["metadata"]["labels"]
    for (kind, _), one in OBJECTS.items():
        assert kind == "Namespace" or one["metadata"]["namespace"] == "qsm"
    assert OBJECTS["NetworkPolicy", "qsm-plugin"]["spec"]["podSelector"]["matchLabels"] == labels
    assert OBJECTS["Service", "qsm-plugin"]["spec"]["selector"] == labels
    assert OBJECTS["PodDisruptionBudget", "qsm-plugin"]["spec"]["selector"]["matchLabels"] == labels

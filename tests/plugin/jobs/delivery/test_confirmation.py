import time
from contextlib import ExitStack, closing
from dataclasses import asdict

import pytest

from plugin.config.service_settings import Commitment
from plugin.config.settings import Caller, Destination, Disk, Objects, Retry, Settings
from plugin.intake.receiver import start_receiver
from plugin.intake.spool import Spool
from plugin.jobs.delivery import confirmation
from plugin.jobs.delivery.deliveries import Attempt
from plugin.jobs.delivery.requests import COMMITMENTS_FOLDER
from plugin.jobs.queue import client, delivery_name
from plugin.service.control import retry
from plugin.service.status import latest_attempts, shown_of
from tests.support.commitment_peer import CommitmentPeer, answer_on_new, commitment_peer
from tests.support.delivery_campaign import IMAGES, write_job
from tests.support.loopback import free_port, wait_for
from tests.support.synthetic import write_small_scan
from tests.support.worker import running_worker

FORMS = {
    "same": CommitmentPeer(form="same"),
    "new": CommitmentPeer(form="new"),
    "plain": CommitmentPeer(form="plain"),
    "late": CommitmentPeer(form="new", silent_requests=1),
    "loses": CommitmentPeer(form="new", loses=2),
    "denies": CommitmentPeer(form="same", loses=10**6),
    "lists": CommitmentPeer(form="refused", finds=True),
    "lists-some": CommitmentPeer(form="refused", finds=True, loses=1),
    "lists-none": CommitmentPeer(form="refused", finds=True, loses=10**6),
    "never": CommitmentPeer(form="never", finds=True),
    "busy": CommitmentPeer(form="busy"),
    "overdue": CommitmentPeer(form="never"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A job, delivered to a destination of each form; the service's port takes their answers."""
    spool = tmp_path_factory.mktemp("spool")
    settings = Settings(
        spool=spool,
        port=free_port(),
        disk=Disk(reserve_gib=0, used_percent=100),
        allowed_callers=(Caller(ae_title="PACS"),),
        destinations=tuple(
            Destination(name=name, ae_title="PACS", host="127.0.0.1", port=free_port(), commitment=True)
            for name in FORMS
        ),
        objects=Objects({"quality-page": False, "refusal-page": False}),
        retry=Retry(first_seconds=0.1, longest_seconds=0.2, give_up_after_hours=20 / 3600, probe_seconds=0.2),
        commitment=Commitment(answer_minutes=0.5 / 60, requests=2),
    )
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held, running_worker(settings):
        patch.setattr(confirmation, "SAME_ASSOCIATION_SECONDS", 1.0)
        with closing(Spool(spool).index) as index:
            opened = Spool(spool)
            held.callback(opened.index.close)
            receiver = start_receiver(settings, opened)
            held.callback(receiver.shutdown)
            for one in settings.destinations:
                held.enter_context(commitment_peer(one.port, FORMS[one.name], answers_to=settings.port))
            job = write_job(settings, write_small_scan(spool / "scan")[:3], 1)
            assert index.studies() == []
            for one in settings.destinations:
                send(settings, job, one.name)
            yield settings, job


def send(settings, job, destination):
    names = [f"qsm/{n}.dcm" for n in range(IMAGES)]
    attempt = Attempt(job=job, destination=destination, part="qsm", names=names, queued_at=time.time())
    with client(settings) as connected:
        connected.enqueue(attempt.options, asdict(attempt))


def latest(site, destination):
    """Return what is shown of a delivery."""
    settings, job = site
    delivery = delivery_name(job, destination, "qsm")
    with client(settings) as connected:
        found = connected.list_workflows(workflow_id_prefix=delivery)
    (last,) = latest_attempts(one for one in found if one.workflow_id.partition("~")[0] == delivery)
    return {**shown_of(last), "status": last.status, "wait_seconds": wait_seconds(last), "attempts": len(found)}


def wait_seconds(workflow):
    """Return how long an attempt still waits in the queue."""
    return (workflow.delay_until_epoch_ms or 0) / 1000 - time.time() if workflow.status == "DELAYED" else 0.0


def ended(site, destination):
    """Return how a delivery ended."""
    wait_for(lambda: is_ended(latest(site, destination)), seconds=60, what="it ends, or waits for a day")
    return latest(site, destination)


def is_ended(found):
    return found["status"] in ("SUCCESS", "ERROR") or found["wait_seconds"] > 3600


@pytest.mark.parametrize("form", ["same", "new", "plain", "late"])
def test_a_delivery_is_committed_by_an_answer_in_each_legal_form(site, form):
    found, peer = ended(site, form), FORMS[form]
    assert (found["state"], found["code"], found["reason"]) == ("committed", "", "")
    wait_for(lambda: peer.statuses, what="the peer has its acknowledgement")
    assert peer.statuses[-1] == 0x0000
    assert len(peer.stored) == IMAGES  # sent once
    assert len(peer.requests) == 1 + peer.silent_requests


def test_images_that_the_destination_does_not_commit_to_are_sent_again(site):
    found, peer = ended(site, "loses"), FORMS["loses"]
    assert found["state"] == "committed"
    assert len(peer.stored) == len(set(peer.stored)) == IMAGES
    assert [len(one.ReferencedSOPSequence) for one in peer.requests] == [IMAGES, IMAGES]
    assert found["attempts"] == 4


def test_a_destination_that_always_denies_what_it_took_is_given_up_with_the_reason(site):
    found = ended(site, "denies")
    assert (found["state"], found["code"]) == ("dead", confirmation.NOT_COMMITTED)
    assert "0x0112" in found["reason"]


@pytest.mark.parametrize("form", ["lists", "lists-some", "never"])
def test_where_there_is_no_answer_the_images_that_the_peer_lists_stand_in_for_it(site, form):
    found, peer = ended(site, form), FORMS[form]
    assert found["state"] == "committed"
    assert f"lists all {IMAGES} images (C-FIND)" in found["reason"]
    assert len(set(peer.stored)) == IMAGES
    assert len(peer.requests) == (2 if form == "never" else 0)


@pytest.mark.parametrize(("form", "why"), [("lists-none", f"lists 0 of {IMAGES}"), ("busy", "answered none of 2")])
def test_without_any_evidence_a_delivery_stays_sent_with_the_reason_and_can_be_asked_about_again(site, form, why):
    settings, job = site
    found = ended(site, form)
    assert found["state"] == "sent"
    assert why in found["reason"]
    requests = len(FORMS[form].requests)
    assert retry(settings, delivery_name(job, form, "qsm")) == [delivery_name(job, form, "qsm")]
    wait_for(lambda: latest(site, form)["attempts"] > found["attempts"], what="it is asked again")
    assert ended(site, form)["state"] == "sent"
    assert len(FORMS[form].requests) == 2 * requests


def test_once_the_site_wants_no_commitment_a_delivery_is_done(site):
    settings, job = site
    attempt = Attempt(job=job, destination="gone", part="qsm", names=[], queued_at=0.0, sent_at=0.0)
    assert confirmation._ask(settings, attempt)["outcome"] == "sent"


def test_an_answer_that_comes_when_nobody_waits_for_it_any_more_still_counts(site):
    found, peer = ended(site, "overdue"), FORMS["overdue"]
    assert (found["state"], found["code"]) == ("sent", "commitment")
    answer_on_new(peer, site[0].port, peer.requests[-1])
    wait_for(lambda: latest(site, "overdue")["state"] == "committed", what="it is committed to")
    assert peer.statuses == [0x0000]


def test_nothing_waits_in_the_spool_for_answers_in_the_end(site):
    settings, _ = site
    for form in FORMS:
        ended(site, form)
    wait_for(lambda: latest(site, "overdue")["state"] == "committed", what="it is committed to")
    kept = {path.name.partition(".")[2].partition("+")[0] for path in (settings.spool / COMMITMENTS_FOLDER).iterdir()}
    assert kept <= {"never", "busy"}  # whose answer may still come

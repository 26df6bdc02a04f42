"""`/hooks/ses`: what SNS posts, what others post, and that only the first changes anything."""

import json
import threading

import pytest
from sqlalchemy import select
from tests.mail.letters import (
    CERTIFICATE,
    HOST,
    SUBSCRIBE,
    TOPIC,
    Signer,
    bounce,
    complaint,
    note,
    subscription,
)
from tests.mail.poster import Hook
from webtest import TestApp

from boxoffice.mail.hook import LARGEST
from boxoffice.mail.models import MailSuppressed

ADDRESS = "grace@example.org"


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [{}, {"Subject": "Amazon SES Email Event"}])
def test_a_permanent_bounce_stops_mail(hook: Hook, version: str, subject: dict[str, str]) -> None:
    hook.sign(note(bounce("Grace@Example.org"), SignatureVersion=version, **subject))
    said = "General: smtp; 550 5.1.1 user unknown"
    assert hook.suppressed() == [(ADDRESS, "bounce", said)]
    assert hook.noted() == ["bounce.permanent"]
    row = hook.session.scalars(select(MailSuppressed)).one()
    assert row.at.isoformat() == "2031-03-02T14:59:38.237000+00:00"


def test_both_forms_of_ses_are_read_and_a_complaint_stops_mail(hook: Hook) -> None:
    hook.sign(note(bounce("a@example.org", form="notificationType")))
    hook.sign(note(complaint("b@example.org")))
    stopped = [(address, reason) for address, reason, _detail in hook.suppressed()]
    assert stopped == [("a@example.org", "bounce"), ("b@example.org", "complaint")]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (bounce(ADDRESS, "Transient"), "bounce.transient"),
        (bounce(ADDRESS, "Undetermined"), "bounce.undetermined"),
        (complaint(ADDRESS, "not-spam"), "complaint"),
        ({"eventType": "Delivery", "delivery": {"recipients": [ADDRESS]}}, "delivery"),
        ("Successfully validated SNS topic for Amazon SES event publishing.", "other"),
        ([], "other"),
        ({"eventType": "Bounce", "bounce": {"bounceType": "Permanent"}}, "bounce.permanent"),
        (bounce("x" * 300 + "@example.org"), "bounce.permanent"),
    ],
)
def test_the_rest_is_only_noted(hook: Hook, message: object, kind: str) -> None:
    hook.sign(note(message))
    assert (hook.suppressed(), hook.noted()) == ([], [kind])


def test_a_message_that_comes_again_does_nothing_twice(hook: Hook) -> None:
    letter = hook.signer.sign(note(bounce(ADDRESS)))
    hook.send(letter)
    hook.session.query(MailSuppressed).delete()  # somebody lifted it
    hook.session.commit()
    hook.send(letter)
    assert (hook.suppressed(), hook.noted()) == ([], ["bounce.permanent"])


def test_the_same_message_twice_at_once(hook: Hook) -> None:
    letter = hook.signer.sign(note(bounce(ADDRESS)))
    hook.sns.certificate(CERTIFICATE)
    threads = [threading.Thread(target=hook.send, args=(letter,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(hook.suppressed()), hook.noted()) == (1, ["bounce.permanent"])


@pytest.mark.parametrize(
    "change",
    [
        {"Message": json.dumps(bounce("eve@example.org"))},
        {"MessageId": "another"},
        {"Subject": "added"},
        {"SignatureVersion": "1"},
        {"Timestamp": "2100-01-01T00:00:00Z"},
    ],
)
def test_what_was_changed_on_the_way_is_refused(hook: Hook, change: dict[str, str]) -> None:
    hook.refuses({**hook.signer.sign(note(bounce(ADDRESS))), **change}, 403, "")


def test_a_signature_by_somebody_else_is_refused(hook: Hook) -> None:
    hook.refuses(Signer().sign(note(bounce(ADDRESS))), 403, "signature does not fit")


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE.replace("https", "http"),
        CERTIFICATE.replace("sns.eu-west-1.amazonaws.com", "sns.eu-west-1.amazonaws.com.evil.org"),
        CERTIFICATE.replace("https://", "https://evil.org@"),
        CERTIFICATE.replace("amazonaws.com/", "amazonaws.com:8443/"),
        CERTIFICATE.replace("eu-west-1", "us-east-1"),  # not the region of our topic
        CERTIFICATE.replace("sns.", "s3."),
        f"{HOST}/evil-bucket/x.pem",
        f"{CERTIFICATE}?x=1",
        "http://169.254.169.254/latest/meta-data",
        "https://[",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_fetched(hook: Hook, url: str) -> None:
    forger = Signer()
    hook.pages[url] = forger.pem
    hook.refuses(forger.sign(note(bounce(ADDRESS), SigningCertURL=url)), 403, "SigningCertURL")
    assert hook.asked == []


@pytest.mark.parametrize("days", [8, -1])
def test_a_certificate_out_of_its_time_is_refused(hook: Hook, days: int) -> None:
    hook.signer = Signer(days)
    hook.pages[CERTIFICATE] = hook.signer.pem
    hook.refuses(hook.signer.sign(note(bounce(ADDRESS))), 403, "not valid at this time")


def test_another_topic_is_refused_though_it_is_signed(hook: Hook) -> None:
    other = TOPIC.replace("123456789012", "999999999999")
    hook.refuses(hook.signer.sign(note(bounce(ADDRESS), TopicArn=other)), 403, "another topic")
    hook.refuses(hook.signer.sign(subscription(TopicArn=other)), 403, "another topic")
    assert hook.asked == []


def test_an_old_message_is_refused(hook: Hook) -> None:
    """The inbox has forgotten its id, perhaps."""
    letter = hook.signer.sign(note(bounce(ADDRESS), Timestamp="2020-01-01T00:00:00.000Z"))
    hook.refuses(letter, 403, "too far from now")


def test_a_certificate_is_fetched_once(hook: Hook) -> None:
    for _ in range(3):
        hook.sign(note(bounce(ADDRESS)))
    assert hook.asked == [CERTIFICATE]


def test_an_sns_that_does_not_answer_is_asked_again_later(hook: Hook) -> None:
    del hook.pages[CERTIFICATE]
    letter = hook.signer.sign(note(bounce(ADDRESS)))
    hook.refuses(letter, 503, "did not answer")
    hook.pages[CERTIFICATE] = hook.signer.pem
    hook.send(letter)
    assert len(hook.suppressed()) == 1


def test_no_certificate_where_one_should_be(hook: Hook) -> None:
    hook.pages[CERTIFICATE] = b"<html>"
    hook.refuses(hook.signer.sign(note(bounce(ADDRESS))), 403, "no certificate")


def test_a_flood_of_certificates_holds_one_thread_at_most(hook: Hook) -> None:
    with hook.sns.asking:
        hook.refuses(hook.signer.sign(note(bounce(ADDRESS))), 503, "being fetched")
    hook.sign(note(bounce(ADDRESS)))


def test_a_subscription_to_our_topic_is_confirmed_once(hook: Hook) -> None:
    letter = hook.signer.sign(subscription())
    hook.send(letter)
    hook.send(letter)
    assert hook.asked == [CERTIFICATE, SUBSCRIBE]
    assert hook.noted() == ["SubscriptionConfirmation"]


def test_a_confirmation_that_failed_is_tried_again(hook: Hook) -> None:
    del hook.pages[SUBSCRIBE]
    letter = hook.signer.sign(subscription())
    hook.refuses(letter, 503, "did not answer")
    hook.pages[SUBSCRIBE] = b""
    hook.send(letter)
    assert hook.noted() == ["SubscriptionConfirmation"]


@pytest.mark.parametrize("url", ["http://127.0.0.1/", f"{HOST}.evil.org/", f"{HOST}:1/"])
def test_a_subscription_sends_us_nowhere_else(hook: Hook, url: str) -> None:
    hook.pages[url] = b""
    hook.refuses(hook.signer.sign(subscription(SubscribeURL=url)), 403, "SubscribeURL")
    assert hook.asked == [CERTIFICATE]


def test_the_end_of_a_subscription_is_noted_and_not_undone(hook: Hook) -> None:
    hook.sign(subscription(Type="UnsubscribeConfirmation"))
    assert (hook.asked, hook.noted()) == ([CERTIFICATE], ["UnsubscribeConfirmation"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Type": "Other"}, "Type"),
        ({"Type": ["Notification"]}, "Type"),
        ({"MessageId": None}, "MessageId"),
        ({"MessageId": "x" * 101}, "MessageId"),
        ({"Message": {"eventType": "Bounce"}}, "Message"),
        ({"Message": "\ud800"}, "Unicode"),
        ({"SignatureVersion": "3"}, "SignatureVersion"),
        ({"Signature": "?"}, "base64"),
        ({"Signature": None}, "Signature"),
        ({"Timestamp": "yesterday"}, "Timestamp"),
    ],
)
def test_what_is_no_message_of_sns_is_refused(
    hook: Hook, change: dict[str, str], words: str
) -> None:
    hook.refuses({**hook.signer.sign(note(bounce(ADDRESS))), **change}, 400, words)


@pytest.mark.parametrize("body", ["", "x", "[]", "null", "[" * 9_000, '{"Type": "Notification"}'])
def test_a_body_that_is_no_message_is_refused(hook: Hook, body: str) -> None:
    head = {"Content-Type": "text/plain"}
    hook.app.post("/hooks/ses", body, headers=head, status=400)
    assert hook.noted() == []


def test_what_is_too_large_or_of_another_kind_is_not_read(hook: Hook) -> None:
    letter = hook.signer.sign(note(bounce(ADDRESS)))
    for kind in ("text/html", "application/x-www-form-urlencoded", "multipart/form-data"):
        hook.send(letter, 415, **{"Content-Type": kind})
    hook.send({**letter, "more": "x" * LARGEST}, 413)
    environ = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    hook.app.request("/hooks/ses", method="POST", environ=environ, status=411)
    hook.app.get("/hooks/ses", status=404)
    assert (hook.suppressed(), hook.noted()) == ([], [])


def test_without_a_topic_there_is_no_such_address(app: TestApp) -> None:
    token = app.get("/organiser/sign-in").forms[0]["csrf_token"].value
    app.post("/hooks/ses", {"csrf_token": token}, status=404)


def test_the_other_pages_still_want_their_token(hook: Hook) -> None:
    for path in ("/organiser/sign-in", "/o/abc"):
        assert "open for too long" in hook.app.post(path, {}, status=400)
    assert "Set-Cookie" not in hook.sign(note(bounce(ADDRESS))).headers

"""The mail sink as the app and a person with a browser meet it."""

import json
import uuid

testinfra_hosts = ["ansible://mail"]

SEND = """python3 - <<'PY'
import smtplib
from email.message import EmailMessage
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "tickets@example.org", "%s", "Your tickets"
mail.set_content("Here they are")
mail.add_alternative("<h1>Here they are</h1>", subtype="html")
with smtplib.SMTP("%s", 25) as smtp:
    smtp.send_message(mail)
PY"""

# Tries for a while: the sink may just have been restarted.
FETCH = """python3 - <<'PY'
import time
import urllib.request
for left in reversed(range(60)):
    try:
        print(urllib.request.urlopen("%s", timeout=5).read().decode())
        break
    except OSError:
        if not left:
            raise
        time.sleep(0.5)
PY"""


def address(host):
    return host.ansible.get_variables()["ansible_host"]


def get(host, path):
    return host.check_output(FETCH % f"http://{address(host)}:8025{path}")


def sent(host):
    """Send one mail to an address nobody else uses; returns the address."""
    to = f"{uuid.uuid4().hex}@example.com"
    host.check_output(SEND % (to, address(host)))
    return to


def test_mail_sent_to_it_is_in_the_inbox(host):
    to = sent(host)
    found = json.loads(get(host, f"/messages.json?to={to}"))["messages"]
    assert [(one["to"], one["subject"], one["text"].strip()) for one in found] == [
        ([to], "Your tickets", "Here they are")]
    assert to in get(host, f"/?to={to}")
    assert "sandbox=" in get(host, f"/messages/{found[0]['id']}")
    assert "<h1>Here they are</h1>" in get(host, f"/messages/{found[0]['id']}/html")


def test_it_forgets_nothing_at_a_crash(host):
    to = sent(host)
    host.check_output("systemctl kill --signal=KILL mail-sink")
    host.check_output("for i in $(seq 60); do systemctl --quiet is-active mail-sink && exit; sleep 0.5; done; exit 1")
    assert len(json.loads(get(host, f"/messages.json?to={to}"))["messages"]) == 1


def test_it_starts_at_boot_as_its_own_user_who_can_do_nothing_else(host):
    assert host.service("mail-sink").is_enabled
    process = host.check_output("systemctl show -p MainPID --value mail-sink")
    assert host.check_output(f"ps -o user= -p {process}").strip() == "mail-sink"
    # Bit 10: the low port. Nothing else.
    assert f"CapEff:\t{1 << 10:016x}" in host.file(f"/proc/{process}/status").content_string
    assert host.file("/var/lib/mail-sink").mode == 0o700

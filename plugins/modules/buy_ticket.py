#!/usr/bin/python
# Copyright: Trust Stack contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: buy_ticket
short_description: Buys tickets, to see that the whole stack works
description:
  - Buys one free and one paid ticket at the box office, the way a browser does, marks the paid order as paid, and
    waits until both mails with the tickets have arrived. What this has passed, the balancers, the web server, the
    database, the caches, the broker, the workers and the mail have all done their part.
  - The tickets are those of a demonstration event that is not shown on the home page. It is made when it is not there.
  - It is a check, so it never reports a change, and does nothing in check mode.
author: Trust Stack (@truststack)
version_added: 0.1.0
options:
  shop_url:
    description: Address of the box office, as customers use it.
    type: str
    required: true
  organiser_email:
    description: E-mail of an organiser, who makes the demonstration event and marks its order as paid.
    type: str
    required: true
  organiser_password:
    description: The organiser's password.
    type: str
    required: true
  inbox_url:
    description: Address of the mail sink's inbox. With an empty one, the tickets are awaited on the order's page only.
    type: str
    default: ""
  event_slug:
    description: The end of the address of the demonstration event's page.
    type: str
    default: stack-check
  event_title:
    description: Title of the demonstration event.
    type: str
    default: Stack check
  timeout:
    description: Seconds that each step may take.
    type: int
    default: 30
attributes:
  check_mode:
    description: Buys nothing, and says so.
    support: full
"""

EXAMPLES = r"""
- name: Buy a ticket through the virtual IP
  trust.stack.buy_ticket:
    shop_url: http://10.89.7.100
    organiser_email: founder@example.org
    organiser_password: "{{ boxoffice_organiser_password }}"
    inbox_url: http://10.89.7.31:8025
  delegate_to: localhost
  register: ticket
"""

RETURN = r"""
orders:
  description: References of the orders, by kind.
  returned: when bought
  type: dict
  sample: {free: k7qx2m9d4tbnw3ph, paid: 8hcz5vw2rjm4kq6t}
seconds:
  description: How long each step took.
  returned: always
  type: dict
  sample: {sign_in: 0.2, event: 0.1, free_order: 0.1, paid_order: 0.2, tickets: 0.6, mails: 0.4}
msg:
  description: What was done, or what stopped it.
  returned: always
  type: str
"""

import time
import uuid
from contextlib import contextmanager

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trust.stack.plugins.module_utils.buyer import CHECK_RELEASES, CHECK_SLUG, CHECK_TITLE, FREE, PAID, BuyerError, Inbox, Shop


def main():
    module = AnsibleModule(
        argument_spec={
            "shop_url": {"type": "str", "required": True},
            "organiser_email": {"type": "str", "required": True},
            "organiser_password": {"type": "str", "required": True, "no_log": True},
            "inbox_url": {"type": "str", "default": ""},
            "event_slug": {"type": "str", "default": CHECK_SLUG},
            "event_title": {"type": "str", "default": CHECK_TITLE},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, seconds={}, msg="Check mode: no ticket was bought.")
    seconds: dict[str, float] = {}
    try:
        orders = buy(module.params, seconds)
    except BuyerError as error:
        done = ", ".join(seconds) or "none"
        module.fail_json(msg=f"Buying a ticket failed: {error}. Steps done: {done}.", seconds=seconds)
    total = sum(seconds.values())
    module.exit_json(
        changed=False, orders=orders, seconds=seconds, msg=f"Bought a free and a paid ticket in {total:.1f} s."
    )


def buy(params, seconds):
    """Go through all steps, noting the seconds of each that is done; the orders' references."""

    @contextmanager
    def step(name):
        start = time.monotonic()
        yield
        seconds[name] = round(time.monotonic() - start, 2)

    shop = Shop(params["shop_url"], params["timeout"])
    run = uuid.uuid4().hex[:12]
    mail = {kind: f"{kind}-{run}@check.example.org" for kind in ("free", "paid")}
    orders = {}
    with step("sign_in"):
        shop.sign_in(params["organiser_email"], params["organiser_password"])
    with step("event"):
        slug = shop.ensure_event(params["event_title"], CHECK_RELEASES, params["event_slug"])
    for kind, release in (("free", FREE), ("paid", PAID)):
        with step(f"{kind}_order"):
            orders[kind] = shop.reserve(slug, release)
            shop.confirm(orders[kind], f"Stack check {run}", mail[kind])
            if kind == "paid":
                shop.mark_paid(slug, orders[kind])
    with step("tickets"):
        for reference in orders.values():
            shop.wait_until_processed(reference)
    if params["inbox_url"]:
        inbox = Inbox(params["inbox_url"], params["timeout"])
        with step("mails"):
            for address in mail.values():
                inbox.wait_for(address, params["event_title"])
    return orders


if __name__ == "__main__":
    main()

"""What moto's SES (version 2 of the service) leaves out of a domain and its configuration set."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.ses import models as ses
from moto.ses.exceptions import NotFoundException
from moto.sesv2 import models, responses, urls

make = models.SESV2Backend.create_email_identity
group = models.SESV2Backend.get_configuration_set
response_of = ses.EmailIdentity.get_response_object.fget
ACCOUNT = {"ProductionAccessEnabled": False}  # as every account begins


def made(self: Any, **named: Any) -> Any:
    """AWS: three tokens for DKIM, and not verified until their records are found. moto: no tokens, and verified at once."""
    identity = make(self, **named)
    tokens = [hashlib.sha256(f"{identity.email_identity}{number}".encode()).hexdigest()[:32] for number in range(3)]
    identity.dkim_attributes |= {"Tokens": tokens, "Status": "PENDING"}
    identity.mail_from_attributes = {}
    return identity


def tags(backend: Any, kind: str, name: str) -> Any:
    """AWS tells the tags as they are now. moto: as they were in the beginning."""
    return backend.list_tags_for_resource(f"arn:aws:ses:{backend.region_name}:{backend.account_id}:{kind}/{name}")


def grouped(self: Any, configuration_set_name: str) -> Any:
    """AWS: NotFoundException. moto: the error of version 1."""
    if configuration_set_name not in self.core_backend.config_sets:
        raise NotFoundException(f"Configuration set <{configuration_set_name}> does not exist.")
    found = group(self, configuration_set_name)
    found.tags = tags(self, "configuration-set", configuration_set_name)
    found.enabled = True
    return found


def identified(self: Any) -> str:
    """AWS writes the tags' ARN with "identity"; moto keeps them under "email-identity"."""
    identity = self.sesv2_backend.get_email_identity(self._get_param("EmailIdentity"))
    name = identity.email_identity
    identity.tags = tags(self.sesv2_backend, "email-identity", name) + tags(self.sesv2_backend, "identity", name)
    return json.dumps(response_of(identity) | {"MailFromAttributes": getattr(identity, "mail_from_attributes", {})})


def mail_from(self: Any) -> str:
    found = self.sesv2_backend.get_email_identity(self._get_param("EmailIdentity"))
    found.mail_from_attributes = {"MailFromDomain": self._get_param("MailFromDomain"), "MailFromDomainStatus": "PENDING"} \
        if self._get_param("MailFromDomain") else {}  # fmt: skip
    return "{}"


def belongs(self: Any) -> str:
    self.sesv2_backend.get_email_identity(self._get_param("EmailIdentity")).configuration_set_name = self._get_param("ConfigurationSetName")
    return "{}"


def destinations(self: Any) -> dict[str, Any]:
    found = self.sesv2_backend.get_configuration_set(self._get_param("ConfigurationSetName"))
    return found.__dict__.setdefault("destinations", {})


def listed(self: Any) -> str:
    return json.dumps({"EventDestinations": [{"Name": name} | one for name, one in destinations(self).items()]})


def told(self: Any) -> str:
    destinations(self)[self._get_param("EventDestinationName")] = self._get_param("EventDestination")
    return "{}"


def untold(self: Any) -> str:
    del destinations(self)[self._get_param("EventDestinationName")]
    return "{}"


def account(self: Any) -> str:
    return json.dumps(ACCOUNT)


def fill() -> None:
    models.SESV2Backend.create_email_identity = made
    models.SESV2Backend.get_configuration_set = grouped
    response = responses.SESV2Response
    response.get_email_identity = identified
    response.put_email_identity_mail_from_attributes = mail_from
    response.put_email_identity_configuration_set_attributes = belongs
    response.get_configuration_set_event_destinations = listed
    response.create_configuration_set_event_destination = told
    response.update_configuration_set_event_destination = told
    response.delete_configuration_set_event_destination = untold
    response.get_account = account
    identity, configuration_set = "{0}/v2/email/identities/(?P<EmailIdentity>[^/]+)", "{0}/v2/email/configuration-sets/(?P<ConfigurationSetName>[^/]+)"
    for path in ("{0}/v2/email/account", f"{identity}/mail-from", f"{identity}/configuration-set",
                 f"{configuration_set}/event-destinations", configuration_set + "/event-destinations/(?P<EventDestinationName>[^/]+)"):  # fmt: skip
        urls.url_paths[path + "$"] = response.dispatch

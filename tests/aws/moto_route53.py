"""What moto's Route 53 does with records that share a name."""

from __future__ import annotations

from typing import Any

from moto.route53 import models
from moto.route53.exceptions import Route53ClientError

change = models.Route53Backend.change_resource_record_sets


def changed(self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    """AWS: a record is known by name, type and identifier, and a plain one stands alone. moto: the identifier alone, in all the zone; they mix."""
    zone = self.get_hosted_zone(zoneid)
    for one in change_list:
        new = one["ResourceRecordSet"]
        name = new["Name"].rstrip(".") + "."
        same = [old for old in zone.rrsets if (old.name, old.type) == (name, new["Type"])]
        if one["Action"] != "DELETE" and any(bool(old.set_identifier) != ("SetIdentifier" in new) for old in same):
            raise Route53ClientError("InvalidChangeBatch", f"RRSet with DNS name {name}, type {new['Type']} cannot be created as other RRSets exist with the "
                                                           "same name and type and another routing policy")  # fmt: skip
        if one["Action"] == "DELETE" and "SetIdentifier" in new:
            zone.rrsets = [old for old in zone.rrsets if old not in same or old.set_identifier != new["SetIdentifier"]]
            one["ResourceRecordSet"] = new | {"SetIdentifier": "gone already"}
    change(self, zoneid, change_list)


def fill() -> None:
    models.Route53Backend.change_resource_record_sets = changed

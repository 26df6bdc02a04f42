"""What moto's RDS leaves out and the modules of amazon.aws ask for."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds import models, responses
from moto.rds.exceptions import DBParameterGroupNotFoundError, InvalidParameterCombination

KNOWN = {"character_set_server": "string", "long_query_time": "float", "max_connections": "integer",
         "require_secure_transport": "string", "slow_query_log": "integer"}  # fmt: skip
make = models.RDSBackend.create_db_instance
groups = models.RDSBackend.describe_db_parameter_groups


def described(self: Any, wanted: Any) -> Any:
    """AWS: a name that there is not is an error. moto: an empty list."""
    found = groups(self, wanted)
    if wanted.get("db_parameter_group_name") and not found:
        raise DBParameterGroupNotFoundError(wanted["db_parameter_group_name"])
    return found


def parameters(self: Any) -> ActionResult:
    """AWS lists every parameter of the engine with its value. moto: only those that were set."""
    group = self.backend.describe_db_parameter_groups({"db_parameter_group_name": self.params.get("DBParameterGroupName")})[0]
    defaults = [{"ParameterName": name, "DataType": kind, "IsModifiable": True, "ApplyType": "dynamic", "Source": "engine-default"}
                for name, kind in KNOWN.items()]  # fmt: skip
    return ActionResult({"Parameters": [one | group.parameters.get(one["ParameterName"], {}) for one in defaults]})


def made(self: Any, *words: Any, **named: Any) -> Any:
    """AWS: a gp3 disk has a throughput. moto: none."""
    database = make(self, *words, **named)
    if database.storage_type == "gp3":
        database.storage_throughput, database.iops = 125, 3000
    return database


def other_zone(database: Any) -> str | None:
    """AWS: with Multi-AZ the copy is in another zone of the group of subnets, and says in which. moto: nothing of it."""
    if not database.multi_az:
        return None
    zones = sorted({subnet.availability_zone for subnet in database.db_subnet_group._subnets}) if database.db_subnet_group else []
    if database.__dict__.get("copy") in (None, database.availability_zone):
        database.copy = next((zone for zone in zones if zone != database.availability_zone), None)
    return database.copy


def rebooted(self: Any) -> ActionResult:
    """AWS: a reboot that forces a failover makes the two zones change their parts, and only with Multi-AZ. moto: nothing happens."""
    database = self.backend.describe_db_instances(self.params.get("DBInstanceIdentifier"))[0]
    if self.params.get("ForceFailover"):
        if not database.multi_az:
            raise InvalidParameterCombination("Cannot request failover of an instance that is not Multi-AZ.")
        database.availability_zone, database.copy = other_zone(database), database.availability_zone
    return ActionResult({"DBInstance": database})


def fill() -> None:
    models.RDSBackend.create_db_instance = made
    models.RDSBackend.describe_db_parameter_groups = described
    responses.RDSResponse.describe_db_parameters = parameters
    models.DBInstance.secondary_availability_zone = property(other_zone)
    responses.RDSResponse.reboot_db_instance = rebooted

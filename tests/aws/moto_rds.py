"""What moto's RDS leaves out and the modules of amazon.aws ask for."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds import models, responses
from moto.rds.exceptions import DBParameterGroupNotFoundError

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


def fill() -> None:
    models.RDSBackend.create_db_instance = made
    models.RDSBackend.describe_db_parameter_groups = described
    responses.RDSResponse.describe_db_parameters = parameters

#!/usr/bin/env python3
"""AWS as a process: moto's server with the gaps filled that matter to this stack, and with faults on demand.

usage: server.py -p PORT          answers on 127.0.0.1 only; everything is kept in memory

POST /_fault with a list of {"match": part of a request, "times": how often, "status": 400, "code": "RequestLimitExceeded", "delay": seconds}:
requests that match are answered with that error, or late.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

# Debian's images, as their owner publishes them; moto's own list has none.
os.environ.setdefault("MOTO_AMIS_PATH", str(Path(__file__).with_name("amis.json")))
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

import moto_budgets
import moto_elasticache
import moto_memcached
import moto_rds
import moto_route53
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE
from moto.moto_server import werkzeug_app
from moto.server import main

# AWS: tags of these are of the types natgateway and elastic-ip. moto: nat-gateway and vpc-elastic-ip, so that every second run changes them.
EC2_PREFIX_TO_RESOURCE.update({"nat": "natgateway", "eipalloc": "elastic-ip"})

moto_budgets.fill()
moto_elasticache.fill()
moto_memcached.fill()
moto_rds.fill()
moto_route53.fill()

ERROR = "<Response><Errors><Error><Code>{code}</Code><Message>asked for by the test</Message></Error></Errors><RequestID>0</RequestID></Response>"
faults: list[dict[str, Any]] = []
answer = werkzeug_app.DomainDispatcherApplication.__call__


def answer_or_fail(self: Any, environ: dict[str, Any], start: Any) -> Any:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    if environ["PATH_INFO"] == "/_fault":
        faults[:] = json.loads(body or b"[]")
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]
    for fault in faults:
        if fault["times"] > 0 and fault["match"].encode() in body + environ["PATH_INFO"].encode():
            fault["times"] -= 1
            time.sleep(fault.get("delay", 0))
            if fault.get("code"):
                start(f"{fault.get('status', 400)} Refused", [("Content-Type", "text/xml")])
                return [ERROR.format(code=fault["code"]).encode()]
    return answer(self, environ, start)


werkzeug_app.DomainDispatcherApplication.__call__ = answer_or_fail

if __name__ == "__main__":
    main(["-H", "127.0.0.1", *sys.argv[1:]])

#!/usr/bin/env python3
"""AWS as a process: moto's server with the gaps filled that matter to this stack, and with faults on demand.

usage: server.py [-H ADDRESS] -p PORT          answers on 127.0.0.1 if nothing else is said; everything is kept in memory

POST /_fault with a list of {"match": part of a request, "times": how often, "status": 400, "code": "RequestLimitExceeded", "delay": seconds}:
requests that match are answered with that error in their own protocol, or late. What is searched is method, path, X-Amz-Target and body, such as
"POST / AmazonSSM.PutParameter {...}" or "POST /  Action=RunInstances&...".

GET /_mails: what SES was given, each with source, destinations and text.
POST /_busy with for example {"elasticache": 2}: what is changed there is busy for two looks; see moto_states.py.
"""

from __future__ import annotations

import importlib
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

import moto_states
from moto.backends import get_backend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE
from moto.moto_server import werkzeug_app
from moto.server import main
from refusal import refusal

# AWS: tags of these are of the types natgateway and elastic-ip. moto: nat-gateway and vpc-elastic-ip, so that every second run changes them.
EC2_PREFIX_TO_RESOURCE.update({"nat": "natgateway", "eipalloc": "elastic-ip"})

# What moto leaves out, a file for each service.
for gap in sorted(Path(__file__).parent.glob("moto_*.py")):
    importlib.import_module(gap.stem).fill()

faults: list[dict[str, Any]] = []
answer = werkzeug_app.DomainDispatcherApplication.__call__


def mails() -> list[dict[str, Any]]:
    sent = [one for region in get_backend("ses")["123456789012"].values() for one in region.sent_messages]
    return [
        {"source": one.source, "destinations": str(getattr(one, "destinations", "")), "text": str(getattr(one, "raw_data", "") or vars(one))} for one in sent]


def answer_or_fail(self: Any, environ: dict[str, Any], start: Any) -> Any:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    if environ["PATH_INFO"] == "/_fault":
        faults[:] = json.loads(body or b"[]")
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]
    if environ["PATH_INFO"] == "/_busy":
        moto_states.busy.clear()
        moto_states.busy.update(json.loads(body or b"{}"))
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]
    if environ["PATH_INFO"] == "/_mails":
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(mails()).encode()]
    asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {environ.get('HTTP_X_AMZ_TARGET', '')} ".encode() + body
    for fault in faults:
        if fault["times"] > 0 and fault["match"].encode() in asked:
            fault["times"] -= 1
            time.sleep(fault.get("delay", 0))
            if fault.get("code"):
                headers, said = refusal(environ, fault["code"])
                start(f"{fault.get('status', 400)} Refused", headers)
                return [said]
    return answer(self, environ, start)


werkzeug_app.DomainDispatcherApplication.__call__ = answer_or_fail

if __name__ == "__main__":
    main(["-H", "127.0.0.1", *sys.argv[1:]])

"""How AWS says no, in the protocol of the request: each service has one, and a client shows the code only if it is answered in it."""

from __future__ import annotations

import json
from collections.abc import Mapping

SAID = "asked for by the test"
EC2 = f"<Response><Errors><Error><Code>{{}}</Code><Message>{SAID}</Message></Error></Errors><RequestID>0</RequestID></Response>"
S3 = f"<Error><Code>{{}}</Code><Message>{SAID}</Message><RequestId>0</RequestId></Error>"
XML = f"<ErrorResponse><Error><Type>Sender</Type><Code>{{}}</Code><Message>{SAID}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
REST_XML = {"cloudfront", "route53", "s3"}  # of the services whose requests are bare paths; the others answer in JSON


def service(environ: Mapping[str, str]) -> str:
    """The name that the request is signed for: .../<date>/<region>/<service>/aws4_request."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
    return scope[3] if len(scope) > 3 else ""


def protocol(environ: Mapping[str, str]) -> str:
    """One of cbor, json, ec2, query, s3, rest-xml and rest-json."""
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return "cbor"
    if environ.get("HTTP_X_AMZ_TARGET"):
        return "json"
    name = service(environ)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return "ec2" if name == "ec2" else "query"
    if name in REST_XML:
        return "s3" if name == "s3" else "rest-xml"
    return "rest-json"


def cbor(text: str) -> bytes:
    """A text of less than 256 bytes."""
    data = text.encode()
    return bytes([0x78, len(data)]) + data


def refusal(environ: Mapping[str, str], code: str) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body."""
    kind = protocol(environ)
    if kind == "cbor":
        body = bytes([0xA2]) + cbor("__type") + cbor(code) + cbor("message") + cbor(SAID)  # a mapping of two
        return [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body
    if kind == "json":
        return [("Content-Type", environ.get("CONTENT_TYPE", "application/x-amz-json-1.1"))], json.dumps({"__type": code, "message": SAID}).encode()
    if kind == "rest-json":
        return [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)], json.dumps({"message": SAID}).encode()
    return [("Content-Type", "text/xml")], {"ec2": EC2, "s3": S3}.get(kind, XML).format(code).encode()

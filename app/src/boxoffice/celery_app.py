"""Celery: one app, its queues, and settings that keep a worker hearing through a Redis failover.

The import needs no environment: settings are read when Celery first asks for its configuration.
"""

import os
import ssl
from typing import Any
from urllib.parse import quote

from celery import Celery
from redis.backoff import NoBackoff
from redis.retry import Retry

from boxoffice.broker import TRANSPORT
from boxoffice.config import Settings, load_settings

QUEUES = ("critical", "mail", "exports", "default")
# For the unit: celery -A boxoffice.celery_app worker <WORKER_FLAGS> -Q <worker_queues(host)>
WORKER_FLAGS = ("--without-gossip", "--without-mingle", "--without-heartbeat")

TASK_SOFT_LIMIT = 100
TASK_HARD_LIMIT = 120
# A message of a dead worker comes back after this; shorter than a task, and it would run twice.
VISIBILITY_TIMEOUT = 2 * TASK_HARD_LIMIT

PUBLISH_RETRY = {"max_retries": 5, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.5}
TASK_MODULES = (
    "boxoffice.outbox.tasks",
    "boxoffice.tickets.tasks",
    "boxoffice.mail.tasks",
    "boxoffice.exports.tasks",
    "boxoffice.watchdog.tasks",
)


def canary_queue(host_name: str) -> str:
    """The queue that only this host's worker reads: its watchdog listens for an answer."""
    return f"canary.{host_name}"


def worker_queues(host_name: str) -> str:
    return ",".join((*QUEUES, canary_queue(host_name)))


def broker_url(settings: Settings) -> str:
    if settings.redis_url:
        return settings.redis_url
    login = f":{quote(settings.redis_password, safe='')}@" if settings.redis_password else ""
    return ";".join(f"sentinel://{login}{host}:{port}/0" for host, port in settings.redis_sentinels)


def sentinel_kwargs(settings: Settings, timeout: float = 0.5) -> dict[str, Any]:
    """Client options towards the Sentinels: one short try each.

    redis-py's own default is eleven tries with pauses. The Sentinel on a dead master's host would
    hold every channel of a worker for minutes: it is alive, but deaf.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    if settings.redis_password:
        # With the user's name the login also passes on a Sentinel that asks for no password.
        options |= {"username": "default", "password": settings.redis_password}
    return options


def transport_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": 2,  # a frozen master answers nothing
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "health_check_interval": 2,  # also how soon a half-open BRPOP is noticed (3-5 s)
        "retry_on_timeout": False,  # True repeats the pub/sub read inside redis-py: endless wait
        "visibility_timeout": VISIBILITY_TIMEOUT,
        # The sweep keeps the pool's connection fresh, so that no message is popped from the new
        # master and noted on the dead one; and a dead worker's messages come back soon.
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    }
    if not settings.redis_url:
        options["master_name"] = settings.redis_master
        options["sentinel_kwargs"] = sentinel_kwargs(settings)
    return options


def redis_tls(settings: Settings) -> dict[str, Any]:
    """redis-py's options of a rediss:// address: its certificate and its name are verified."""
    if not settings.redis_url.startswith("rediss://"):
        return {}
    # Said aloud: kombu's own default for rediss:// is to verify nothing.
    options: dict[str, Any] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    if settings.redis_ca_file:
        options["ssl_ca_certs"] = settings.redis_ca_file
    return options


def celery_config(settings: Settings) -> dict[str, Any]:
    return {
        "broker_transport": TRANSPORT if settings.redis_url else None,
        "broker_use_ssl": redis_tls(settings) or None,
        "broker_url": broker_url(settings),
        "broker_transport_options": transport_options(settings),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "visibility_timeout": VISIBILITY_TIMEOUT,
        "task_default_queue": "default",
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_retry_on_worker_lost": True,  # counted, so that a task that kills its process ends
        "task_time_limit": TASK_HARD_LIMIT,
        "task_soft_time_limit": TASK_SOFT_LIMIT,
        "task_publish_retry": True,
        "task_publish_retry_policy": PUBLISH_RETRY,
        "worker_prefetch_multiplier": 1,
        "timezone": "UTC",
        "enable_utc": True,
    }


def make_client(settings: Settings) -> Celery:
    """A Celery that only publishes, for processes that hold settings (web, relay, watchdog)."""
    client = Celery("boxoffice-client", set_as_current=False)
    client.conf.update(celery_config(settings))
    # One try to connect; kombu's default is to try again, after two seconds.
    client.conf.broker_transport_options = {**transport_options(settings), "max_retries": 0}
    return client


def _from_environment() -> dict[str, Any]:
    return celery_config(load_settings(os.environ))


app = Celery("boxoffice", include=list(TASK_MODULES))
app.add_defaults(_from_environment)

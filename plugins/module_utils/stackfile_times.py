# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values of a stack file that have to do with time: zones, dates, times of the day, lengths. None where one is wrong."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import yaml

from .stackfile_nodes import Reader

CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
# The years of the forecast: beyond, a calendar's dates run out and a slip of the finger is likelier than a plan.
DATE = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
LENGTH = re.compile(r"([1-9][0-9]{0,4}) ?(min|h|days?)")
UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "day": timedelta(days=1), "days": timedelta(days=1)}
LONGEST = timedelta(days=31)
MIDNIGHT = 24 * 60


def time_zone(reader: Reader, node: yaml.Node, path: str) -> str | None:
    name = scalar(node)
    # right/ counts leap seconds, posix/ is the same again, localtime is whatever this machine has
    if re.fullmatch(r"[A-Z][A-Za-z0-9_+/-]*", name):
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
        else:
            return name
    near = _near_zone(name)
    mend = f'did you mean "{near}"?' if near else 'write for example "Europe/Dublin"'
    reader.note(node, path, "there is no such time zone", "an IANA name, such as Europe/Dublin or UTC", mend)
    return None


def _near_zone(name: str) -> str:
    import difflib  # only a mistake needs these
    from zoneinfo import available_timezones

    known = {full.lower(): full for full in sorted(available_timezones())}
    # People leave the continent out; of two places of one name the shorter zone is the one that is meant.
    known |= {short.rpartition("/")[2]: full for short, full in sorted(known.items(), key=lambda pair: -len(pair[0])) if "/" in short} | known
    close = difflib.get_close_matches(name.strip().lower().replace(" ", "_"), known, n=1, cutoff=0.6)
    return known[close[0]] if close else ""


def clock(reader: Reader, node: yaml.Node, path: str, also: str = "") -> int | None:
    """Minutes after midnight."""
    text = scalar(node)
    found = CLOCK.fullmatch(text)
    if found or (also and text == also):
        return int(found[1]) * 60 + int(found[2]) if found else MIDNIGHT
    expected = 'a time from "00:00" to "23:59"' + (f', or "{also}"' if also else "")
    short = re.fullmatch(r"([0-9]):([0-5][0-9])", text)
    mend = f'write "0{text}"' if short else 'write for example "09:30", hours and minutes by the 24-hour clock'
    reader.note(node, path, "this is not a time of the day", expected, mend)
    return None


def length(reader: Reader, node: yaml.Node, path: str, before: str = "", example: str = "90 min") -> timedelta | None:
    found = LENGTH.fullmatch(scalar(node))
    expected = f'{before}a length such as "{example}", "2 h" or "1 day", at most 31 days'
    if not found:
        reader.note(node, path, "this is not a length of time", expected, f'write for example "{example}"')
    elif int(found[1]) * UNITS[found[2]] > LONGEST:
        reader.note(node, path, "this is too long", expected, "write a shorter one")
    else:
        return int(found[1]) * UNITS[found[2]]
    return None


def dates(reader: Reader, node: yaml.Node, path: str) -> frozenset[date]:
    nodes = reader.items(node, path, 'a list of dates, such as ["2026-12-25"]', "write it in brackets")
    read = [_date(reader, one, f"{path}[{i}]") for i, one in enumerate(nodes or [])]
    return frozenset(one for one in read if one)


def _date(reader: Reader, node: yaml.Node, path: str) -> date | None:
    try:
        if DATE.fullmatch(scalar(node)):
            return date.fromisoformat(scalar(node))
    except ValueError:
        pass
    reader.note(node, path, "there is no such date", "year-month-day, from 2000 to 2099", 'write for example "2026-12-25"')
    return None


def moment(reader: Reader, node: yaml.Node, path: str) -> datetime | None:
    """A date and a time of the day, still without a zone."""
    day, _space, hour = scalar(node).partition(" ")
    try:
        if DATE.fullmatch(day) and CLOCK.fullmatch(hour):
            return datetime.fromisoformat(f"{day} {hour}")
    except ValueError:
        pass
    expected = "year-month-day hour:minute, from 2000 to 2099"
    reader.note(node, path, "there is no such date and time", expected, 'write for example "2027-03-14 10:00"')
    return None


def flag(reader: Reader, node: yaml.Node, path: str) -> bool:
    value = yaml.SafeLoader.bool_values.get(scalar(node).lower()) if node.tag == "tag:yaml.org,2002:bool" else None
    if value is not None:
        return bool(value)
    reader.note(node, path, "this is neither true nor false", "true or false", "write true or false, without quotes")
    return False


def scalar(node: yaml.Node) -> str:
    """The text of a scalar, as it stands in the file: YAML takes 18:30 for a number and 2026-12-25 for a date."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def pairs(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    return [(scalar(key), value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []

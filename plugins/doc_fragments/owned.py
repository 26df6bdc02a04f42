# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the modules that ask AWS know what is their own."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  owner:
    description: Tags that what is there must have already to be changed or removed; without them it is somebody else's. What is made gets them.
    type: dict
    default: {}
  tags:
    description: More tags. Others that are there stay.
    type: dict
    default: {}
"""

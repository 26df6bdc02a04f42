"""What moto's Auto Scaling leaves out: lifecycle hooks that hold instances, and what its modules ask for."""

from __future__ import annotations

from typing import Any

from moto.autoscaling import models, responses
from moto.autoscaling.exceptions import ValidationError
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto.ec2.responses.launch_templates import LaunchTemplates

COMING, GOING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
WAITING = {"Pending:Wait": COMING, "Terminating:Wait": GOING}
launch = models.FakeAutoScalingGroup.replace_autoscaling_group_instances
resize = models.FakeAutoScalingGroup.set_desired_capacity
forget = models.AutoScalingBackend.delete_auto_scaling_group
put = models.AutoScalingBackend.put_scheduled_update_group_action
make_template = LaunchTemplateBackend.create_launch_template


def hooks(group: Any, transition: str) -> list[Any]:
    every = group.autoscaling_backend.lifecycle_hooks.values()
    return [one for one in every if one.auto_scaling_group_name == group.name and one.lifecycle_transition == transition]


def active(self: Any) -> list[Any]:
    """AWS counts those that are coming as well. moto knows no such state."""
    return [one for one in self.instance_states if one.lifecycle_state in ("InService", "Pending:Wait")]


def launched(self: Any, *words: Any, **named: Any) -> None:
    """AWS: with a hook a new instance waits for the answer. moto: it is in service at once. AWS spreads over the subnets, moto does not."""
    before = list(self.instance_states)
    places = (self.vpc_zone_identifier or "").split(",")
    count = words[0] if words else named["count_needed"]
    for i in range(count):
        # The zone that has the fewest; of equals the first.
        self.vpc_zone_identifier = ",".join(places[(len(before) + i) % len(places) :] + places[: (len(before) + i) % len(places)])
        launch(self, 1, *words[1:], **{key: value for key, value in named.items() if key != "count_needed"})
    self.vpc_zone_identifier = ",".join(places)
    for one in self.instance_states:
        if one not in before and hooks(self, COMING):
            one.lifecycle_state = "Pending:Wait"


def resized(self: Any, new_capacity: int | None) -> None:
    """AWS: with a hook one that goes waits for the answer. moto: it is gone at once."""
    wanted = self.min_size if new_capacity is None else new_capacity
    here = active(self)
    if wanted < len(here) and hooks(self, GOING):
        for one in here[: len(here) - wanted]:
            one.lifecycle_state = "Terminating:Wait"
    resize(self, new_capacity)


def forgotten(self: Any, group_name: str) -> None:
    """AWS: actions, policies and hooks go with their group, and no hook holds what is deleted by force. moto: they stay."""
    group = self.autoscaling_groups.get(group_name)
    for kept in (self.lifecycle_hooks, self.scheduled_actions, self.policies):
        for key, one in list(kept.items()):
            if getattr(one, "auto_scaling_group_name", getattr(one, "as_name", None)) == group_name:
                del kept[key]
    for one in group.instance_states if group else []:
        one.lifecycle_state = "InService"
    forget(self, group_name)


def scheduled(self: Any, *words: Any, **named: Any) -> Any:
    """AWS: no action in the past, no more than 125, and no two at one StartTime. moto takes everything."""
    group, name, start = named["name"], named["scheduled_action_name"], named["start_time"]
    others = [one for key, one in self.scheduled_actions.items() if one.auto_scaling_group_name == group and key != name]
    if len(others) >= 125:
        raise ValidationError("you may have at most 125 scheduled actions")
    if not (start or named["recurrence"]):
        raise ValidationError("a scheduled action needs a start time or a recurrence")
    if start and any(one.start_time == start for one in others):
        raise ValidationError(f"an action is scheduled already at {start}")
    return put(self, *words, **named)


def described(self: Any, name: str, description: str, data: dict[str, Any], tags: Any) -> Any:
    """AWS: a template's own tags stand beside its data. moto: within them too, so that every second run changes them."""
    inside = [one for one in data.pop("TagSpecifications", []) if one["ResourceType"] != "launch-template"]
    return make_template(self, name, description, data | ({"TagSpecifications": inside} if inside else {}), tags)


def thinned(self: Any) -> ActionResult:
    """AWS can remove versions of a launch template. moto cannot."""
    number = self._get_param("LaunchTemplateId")
    template = self.ec2_backend.get_launch_template(number)
    gone = [int(one) for one in self._get_param("Versions") or self._get_param("LaunchTemplateVersion", [])]
    removed = [{"LaunchTemplateId": number, "LaunchTemplateName": template.name, "VersionNumber": one} for one in gone]
    template.versions = [one for one in template.versions if one.number not in gone]
    return ActionResult({"SuccessfullyDeletedLaunchTemplateVersions": removed, "UnsuccessfullyDeletedLaunchTemplateVersions": []})


def uncollected(self: Any) -> ActionResult:
    """AWS can stop to collect metrics. moto cannot."""
    self.autoscaling_backend.enable_metrics_collection(self._get_param("AutoScalingGroupName"), [])
    return EmptyResult()


def _held(self: Any) -> tuple[Any, Any]:
    group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    name, number = self._get_param("LifecycleHookName"), self._get_param("InstanceId")
    for one in group.instance_states:
        held = one.instance.id == number and one.lifecycle_state in WAITING
        if held and name in [hook.name for hook in hooks(group, WAITING[one.lifecycle_state])]:
            return group, one
    raise ValidationError(f"No active Lifecycle Action found with instance ID {number}")


def heartbeat(self: Any) -> ActionResult:
    """AWS begins the time anew. moto has no such call; here the beats are counted, for the tests."""
    _group, one = _held(self)
    one.beats = getattr(one, "beats", 0) + 1
    return EmptyResult()


def completed(self: Any) -> ActionResult:
    """AWS: CONTINUE lets it in, or go; ABANDON ends one that was coming, and another one comes. moto has no such call."""
    group, one = _held(self)
    if one.lifecycle_state == "Pending:Wait" and self._get_param("LifecycleActionResult") == "CONTINUE":
        one.lifecycle_state = "InService"
        return EmptyResult()
    group.autoscaling_backend.ec2_backend.terminate_instances([one.instance.id])
    group.instance_states.remove(one)
    resized(group, group.desired_capacity)
    return EmptyResult()


def fill() -> None:
    group, backend, answers = models.FakeAutoScalingGroup, models.AutoScalingBackend, responses.AutoScalingResponse
    group.active_instances = active
    group.replace_autoscaling_group_instances = launched
    group.set_desired_capacity = resized
    backend.delete_auto_scaling_group = forgotten
    backend.put_scheduled_update_group_action = scheduled
    LaunchTemplateBackend.create_launch_template = described
    LaunchTemplates.delete_launch_template_versions = thinned
    answers.disable_metrics_collection = uncollected
    answers.record_lifecycle_action_heartbeat = heartbeat
    answers.complete_lifecycle_action = completed

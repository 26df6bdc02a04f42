import os
import subprocess

testinfra_hosts = ["ansible://app"]


def test_the_hooks_of_the_event_ran_in_their_order(host):
    assert host.file("/var/lib/hook-second").content_string == "second after first\n"


def test_the_hooks_of_other_events_did_not(host):
    assert not host.file("/var/lib/hook-never").exists


def test_an_event_that_there_is_not_is_refused_with_the_key():
    scenario = os.path.dirname(os.path.dirname(__file__))
    command = ["ansible-playbook", "-i", os.path.join(scenario, "../stack.yml"), os.path.join(scenario, "converge.yml"), "--limit", "app-a-1"]
    wrong = '{"lifecycle_hooks": {"set_up": ["hooks/first.yml"]}}'
    done = subprocess.run([*command, "-e", wrong], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "lifecycle_hooks: there is no event set_up; expected some of setup, configure, deploy, undeploy, shutdown" in said

"""Role base: a host that any layer can move into."""

testinfra_hosts = ["ansible://lb"]


def test_apt_is_usable(host):
    assert host.run("dpkg --audit").stdout == ""


def test_the_clock_is_in_the_zone(host):
    assert host.run("date +%Z").stdout.strip() == "GMT"


def test_the_journal_is_bounded(host):
    assert "SystemMaxUse=100M" in host.run("systemd-analyze cat-config systemd/journald.conf").stdout


def test_the_packages_of_the_layer_are_there(host):
    assert host.package("less").is_installed

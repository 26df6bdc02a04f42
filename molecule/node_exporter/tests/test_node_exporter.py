"""The node exporter as Prometheus sees it."""

import re
import time
import urllib.request

testinfra_hosts = ["ansible://mail"]
FOLDER = "/var/lib/prometheus/node-exporter"


def metrics(host):
    address = host.ansible.get_variables()["ansible_host"]
    with urllib.request.urlopen(f"http://{address}:9100/metrics", timeout=5) as answer:
        return answer.read().decode()


def test_it_gives_what_the_load_and_the_alerts_read(host):
    text = metrics(host)
    for name in ("node_cpu_seconds_total", "node_load1", "node_load5", "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"):
        assert re.search(rf"^{name}[ {{]", text, re.M), name
    assert "node_filesystem_" in text


def test_it_runs_nothing_else_and_is_quick(host):
    began = time.monotonic()
    text = metrics(host)
    assert time.monotonic() - began < 1
    collectors = set(re.findall(r'node_scrape_collector_success\{collector="(\w+)"\} 1', text))
    assert collectors == {"cpu", "filesystem", "loadavg", "meminfo", "textfile"}
    assert len(text) < 60_000


def test_a_number_that_a_job_writes_is_passed_on(host):
    host.check_output(f"echo 'truststack_molecule 7' > {FOLDER}/molecule.tmp && mv {FOLDER}/molecule.tmp {FOLDER}/molecule.prom")
    try:
        assert re.search(r"^truststack_molecule 7$", metrics(host), re.M)
    finally:
        host.check_output(f"rm {FOLDER}/molecule.prom")


def test_it_listens_on_the_inner_address_only(host):
    address = host.ansible.get_variables()["ansible_host"]
    listening = host.check_output("ss --no-header --tcp --listening --numeric 'sport = :9100'").split()
    assert f"{address}:9100" in listening
    assert not {"*:9100", "0.0.0.0:9100", "[::]:9100", "127.0.0.1:9100"} & set(listening)


def test_it_runs_as_its_own_user_and_comes_back_after_a_crash(host):
    assert host.service("prometheus-node-exporter").is_enabled
    before = host.check_output("systemctl show -p MainPID --value prometheus-node-exporter")
    assert host.check_output(f"ps -o user= -p {before}").strip() == "prometheus"
    host.check_output("systemctl kill --signal=KILL prometheus-node-exporter")
    host.check_output(
        f"for i in $(seq 60); do p=$(systemctl show -p MainPID --value prometheus-node-exporter); "
        f"test $p != 0 && test $p != {before} && exit; sleep 0.5; done; exit 1")

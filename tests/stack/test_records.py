"""What a stack keeps and hands on: credentials, and the environment of its programs."""

from __future__ import annotations

import json
import stat
import subprocess

import pytest

from difsims_core.resources import deployments_file
from flows.stack.errors import StackError
from flows.stack.records import environment as environments
from flows.stack.records.credentials import keep_credentials
from flows.stack.records.environment import MARK, Services, program_environment, write_environments
from flows.stack.records.options import UpOptions, choose_services
from flows.stack.services.ports import choose_ports
from flows.stack.services.programs import s3_program, server_program, worker_program
from flows.stack.supervision.supervisor import configuration
from flows.stack.up import Stack


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_credentials_are_made_once_and_only_their_owner_reads_them(folder):
    made = keep_credentials(folder, auth=None)
    assert mode(folder.credentials) == 0o600
    assert mode(folder.root) == 0o700
    assert made.login is not None
    assert made.login.startswith("difsims:")
    assert len({made.admin.secret_key, made.reader.secret_key, made.admin.access_key, made.reader.access_key}) == 4
    assert keep_credentials(folder, auth=None) == made
    assert not [secret for secret in made.secrets if secret in repr(made)]


def test_the_reader_may_not_write(folder):
    keep_credentials(folder, auth=None)
    identities = json.loads(folder.credentials.read_text())["identities"]
    assert {item["name"]: item["actions"] for item in identities}["reader"] == ["Read", "List"]


def test_a_login_comes_and_goes_on_request_and_stays_otherwise(folder):
    plain = keep_credentials(folder, auth=False)
    assert plain.login is None
    assert keep_credentials(folder, auth=None) == plain
    login = keep_credentials(folder, auth=True)
    assert login.login is not None
    assert login.admin == plain.admin
    assert keep_credentials(folder, auth=None) == login
    assert keep_credentials(folder, auth=True) == login
    assert keep_credentials(folder, auth=False) == plain


def test_a_stack_of_before_gets_a_login_at_its_next_start_and_not_while_it_runs(folder):
    keep_credentials(folder, auth=False)
    told: list[str] = []
    options = UpOptions(folder.root)
    _, running = choose_services(folder, options, told.append, running=True)
    assert running.login is None
    assert told == ["the stack is running; ports and login change at its next start"]
    _, started = choose_services(folder, options, told.append, running=False)
    assert started.login is not None
    _, without = choose_services(folder, UpOptions(folder.root, auth=False), told.append, running=False)
    assert without.login is None


def test_how_to_sign_in_is_said_without_the_secret_and_so_is_what_no_login_opens(folder):
    stack = Stack(UpOptions(folder.root), lambda _line: None)
    services = Services(keep_credentials(folder, auth=True), s3_port=1, prefect_port=2)
    said = stack.sign_in(services)
    assert str(folder.credentials) in said
    assert not [secret for secret in services.credentials.secrets if secret in said]
    said = stack.sign_in(Services(keep_credentials(folder, auth=False), s3_port=1, prefect_port=2))
    assert "every user of this machine may start, change and delete runs, with your rights" in said
    assert "without --no-auth" in said


def test_a_damaged_credentials_file_is_named_and_not_quoted(folder):
    folder.credentials.write_text('{"identities": "hunter2"')
    with pytest.raises(StackError, match=r"credentials\.json: ") as caught:
        keep_credentials(folder, auth=None)
    assert "hunter2" not in str(caught.value)


def test_nothing_that_everybody_may_read_holds_a_secret(folder):
    made = keep_credentials(folder, auth=True)
    ports = choose_ports({}, {}, ("s3", "prefect"))
    programs = [s3_program(folder, ports), server_program(ports), worker_program("worker")]
    text = configuration(folder, programs)
    assert all(f"[program:{name}]" in text for name in ("s3", "server", "worker"))
    assert not [secret for secret in made.secrets if secret in text]


def test_programs_inherit_secrets_and_the_shell_files_are_private(folder, monkeypatch):
    made = keep_credentials(folder, auth=True)
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "other:login")
    monkeypatch.setenv("PREFECT_WORKER_QUERY_SECONDS", "7")
    monkeypatch.setenv("PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED", "false")
    monkeypatch.setenv("PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS", "*")
    services = Services(made, s3_port=1, prefect_port=2)
    found = program_environment(folder, "an-id", services)
    assert found["AWS_SECRET_ACCESS_KEY"] == made.admin.secret_key
    assert found["PREFECT_API_AUTH_STRING"] == found["PREFECT_SERVER_API_AUTH_STRING"] == made.login
    assert "AWS_PROFILE" not in found
    assert found["PREFECT_WORKER_QUERY_SECONDS"] == "7"
    assert found["DIFSIMS_SIMULATIONS_A_MACHINE"] == "1"
    assert found[MARK] == "an-id"
    assert found["PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"] == "true"
    assert found["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:2,http://localhost:2"
    write_environments(folder, services)
    assert mode(folder.environment) == mode(folder.reader_environment) == 0o600
    for secret in (made.admin.secret_key, str(made.login)):
        assert secret in folder.environment.read_text()
        assert secret not in folder.reader_environment.read_text()
    assert MARK not in folder.environment.read_text()


def test_nothing_of_the_users_shell_leads_elsewhere(folder, monkeypatch):
    elsewhere = {"AWS_ENDPOINT_URL_S3": "https://minio.lab", "AWS_SESSION_TOKEN": "theirs", "PREFECT_API_KEY": "cloud"}
    monkeypatch.setenv("WEED_HTTPS_FILER_CA", "/theirs/ca.pem")
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    services = Services(keep_credentials(folder, auth=False), s3_port=1, prefect_port=2)
    assert {*elsewhere, "WEED_HTTPS_FILER_CA"} <= set(services.replaced())
    assert "PATH" not in services.replaced()
    write_environments(folder, services)
    script = f"source {folder.environment} && env"
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert not [name for name in elsewhere if f"{name}=" in found]
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:1" in found
    existing = Services(keep_credentials(folder, auth=False), s3="s3://lab/difsims", prefect_api="http://lab:4200/api")
    assert not {"AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"} & set(existing.replaced())
    write_environments(folder, existing)
    assert "AWS_" not in folder.environment.read_text()


def test_a_proxy_of_the_users_shell_gets_nothing_that_is_for_this_machine(folder, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "lab.example")
    services = Services(keep_credentials(folder, auth=True), s3_port=1, prefect_port=2)
    write_environments(folder, services)
    script = f"set -u; unset no_proxy; source {folder.environment}; env"
    shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    programs = program_environment(folder, "an-id", services)
    for found in (programs, dict(line.split("=", 1) for line in shell.splitlines() if "=" in line)):
        assert found["NO_PROXY"] == found["no_proxy"] == "lab.example,127.0.0.1,localhost"
    elsewhere = Services(keep_credentials(folder, auth=True), s3="s3://lab/difsims", prefect_api="http://lab:4200/api")
    assert program_environment(folder, "an-id", elsewhere)["NO_PROXY"] == "lab.example"


def test_readers_are_not_sent_to_a_server_whose_login_they_do_not_have(folder, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere:4200/api")
    for auth in (True, False):
        write_environments(folder, Services(keep_credentials(folder, auth=auth), s3_port=1, prefect_port=2))
        script = f"source {folder.reader_environment}; echo ${{PREFECT_API_URL-none}}"
        found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.strip()
        assert found == ("none" if auth else "http://127.0.0.1:2/api")


def test_existing_services_keep_the_users_own_credentials(folder, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "theirs")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "their:login")
    services = Services(keep_credentials(folder, auth=True), s3="s3://lab/difsims", prefect_api="http://lab:4200/api")
    found = program_environment(folder, "an-id", services)
    assert found["AWS_ACCESS_KEY_ID"] == "theirs"
    assert found["DIFSIMS_STORE"] == "s3://lab/difsims"
    assert found["PREFECT_API_AUTH_STRING"] == services.login == "their:login"
    assert "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE" not in found
    write_environments(folder, services)
    assert "their" not in folder.environment.read_text().replace("lab", "")


def test_an_installed_package_is_not_put_on_the_path_again(monkeypatch):
    assert environments.python_path("") == str(deployments_file().parents[1])
    monkeypatch.setattr(environments.sysconfig, "get_path", lambda _name: str(deployments_file().parents[1]))
    assert environments.python_path("/elsewhere") == "/elsewhere"

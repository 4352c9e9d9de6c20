import pytest

from localcloud_events.aws import client_arguments
from localcloud_events.settings import BadSettingsError, WorkerSettings, load


def test_defaults_mean_real_aws() -> None:
    settings = load(WorkerSettings)
    assert (settings.endpoint, settings.region, settings.http_port) == ("", "eu-central-1", 8080)
    arguments = client_arguments(settings)
    assert "endpoint_url" not in arguments
    assert arguments["config"].retries == {"mode": "standard", "total_max_attempts": 3}


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_AWS_DEFAULTS_ENDPOINT", "")
    monkeypatch.setenv("AWS_REGION", "")
    assert load(WorkerSettings).region == "eu-central-1"
    assert "endpoint_url" not in client_arguments(load(WorkerSettings))


@pytest.mark.parametrize(
    "endpoint", ["http://localstack:4566", "http://10.0.0.1", "http://[::1]:4566", "http://a.b-c.d:1"]
)
def test_endpoint_is_handed_to_the_client(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_AWS_DEFAULTS_ENDPOINT", endpoint)
    assert client_arguments(load(WorkerSettings))["endpoint_url"] == endpoint


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CLOUD_AWS_DEFAULTS_ENDPOINT", "https://localstack:4566"),
        ("CLOUD_AWS_DEFAULTS_ENDPOINT", "http://localstack:4566/"),
        ("CLOUD_AWS_DEFAULTS_ENDPOINT", "http://localstack:4566/path"),
        ("CLOUD_AWS_DEFAULTS_ENDPOINT", "http://localstack:99999"),
        ("CLOUD_AWS_DEFAULTS_ENDPOINT", "http://-localstack:4566"),
        ("CLOUD_AWS_DEFAULTS_ENDPOINT", "localstack:4566"),
        ("AWS_REGION", "eu central"),
        ("HTTP_PORT", "http"),
        ("HTTP_PORT", "70000"),
        ("LOG_LEVEL", "loud"),
        ("LIVENESS_LIMIT", "0"),
        ("LIVENESS_LIMIT", "inf"),
    ],
)
def test_bad_settings_name_the_variable_in_one_line(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSettingsError, match=f"^{variable}: ") as caught:
        load(WorkerSettings)
    assert "\n" not in str(caught.value)

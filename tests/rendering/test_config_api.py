"""The config API's environments follow from inventories alone; what Helm makes of them is what each is to have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]


def reading(inventory: Path, result: Path, **given: Any) -> subprocess.CompletedProcess[str]:
    extra = {
        "stack_blueprint": "config-api",
        "project": str(PROJECT),
        "result": str(result),
        "engine": "localstack",
        **given,
    }
    command = [
        "ansible-playbook",
        "-i",
        "inventories/local",
        "-i",
        str(inventory),
        "tests/rendering/read.yml",
        "-e",
        json.dumps(extra),
    ]
    return subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that the repository has not: a copy of another's folder, with other words in it."""
    made = tmp_path_factory.mktemp("inventories")
    shutil.copytree(PROJECT / "inventories/prod", made / "stage")
    settings = made / "stage/group_vars/all.yml"
    settings.write_text(settings.read_text().replace("prod", "stage"))
    return made


@pytest.fixture(scope="module")
def read(folder: Path) -> Any:
    """Give an environment's blueprint and what is remembered of it."""

    @cache
    def of(environment: str, engine: str = "localstack") -> dict[str, Any]:
        inventory = folder / environment if environment == "stage" else PROJECT / "inventories" / environment
        result = folder / f"{environment}-{engine}.json"
        done = reading(inventory, result, engine=engine)
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(result.read_text()))

    return of


@pytest.mark.parametrize("environment", ["dev", "prod", "stage"])
def test_each_environment_has_names_of_its_own(read: Any, environment: str) -> None:
    found = read(environment)["blueprint"]
    assert (found["name"], found["namespace"]) == (f"config-api-{environment}", environment)
    assert found["place"] == {
        "region": "eu-west-1",
        "provider_config": f"kantox-challenge-{environment}",
        "prefix": f"{environment}-",
        "tags": {"project": "kantox-challenge", "environment": environment},
    }
    assert [one["name"] for one in found["aws"]["buckets"]] == [f"kantox-challenge-{environment}-bucket"]
    path = f"/kantox-challenge/{environment}"
    assert [one["name"] for one in found["aws"]["parameters"]] == [
        f"{path}/param1",
        f"{path}/param2",
        f"{path}/secret1",
    ]
    (policy,) = found["aws"]["policies"]
    arn = f"arn:aws:ssm:eu-west-1:000000000000:parameter{path}"
    assert policy["policy"]["Statement"][0]["Resource"] == [arn, f"{arn}/*"]
    assert list(found["addresses"]) == [f"config_api_{environment}"]


def test_environments_share_nothing(read: Any, folder: Path) -> None:
    both = {f"config-api-{one}": read(one)["entry"] for one in ("dev", "prod")}
    done = reading(folder / "stage", folder / "beside.json", installed=both)
    assert done.returncode == 0, done.stdout


def test_two_environments_with_one_prefix_are_refused(read: Any, folder: Path) -> None:
    there = {"config-api-dev": read("dev")["entry"]}
    done = reading(PROJECT / "inventories/dev", folder / "no.json", installed={"other": there["config-api-dev"]})
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    for one in (
        "place.prefix: 'dev-' is that of the blueprint other, too",
        "aws.buckets: 'kantox-challenge-dev-bucket' is declared by the blueprint other, too",
        "aws.parameters: '/kantox-challenge/dev/param1' is declared by the blueprint other, too",
    ):
        assert one in said, done.stdout


@pytest.mark.parametrize(
    ("environment", "subject"),
    [
        ("dev", "repo:example/config-api:ref:refs/heads/main"),
        ("prod", "repo:example/config-api:ref:refs/tags/release/*"),
    ],
)
def test_a_role_is_for_one_repository_and_one_branch_or_pattern_of_tags(
    read: Any, environment: str, subject: str
) -> None:
    (role,) = read(environment)["blueprint"]["aws"]["roles"]
    assert role["name"] == f"kantox-challenge-{environment}-github-actions"
    (statement,) = role["trust_policy"]["Statement"]
    host = "token.actions.githubusercontent.com"
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {f"{host}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{host}:sub": subject},
    }


def test_an_engine_without_ecr_is_named(read: Any) -> None:
    localstack, ministack = read("dev")["blueprint"], read("dev", "ministack")["blueprint"]
    assert localstack["aws"]["repositories"] == []
    assert "The emulator has no ECR" in localstack["notes"][0]["text"]
    assert [one["name"] for one in ministack["aws"]["repositories"]] == ["main-api", "auxiliary-service"]
    assert all(
        one["immutable_tags"] and one["scan_on_push"] and one["lifecycle"] for one in ministack["aws"]["repositories"]
    )
    assert ministack["notes"] == []
    # What an account has once, one environment declares.
    prod = read("prod", "ministack")["blueprint"]
    assert prod["aws"]["repositories"] == prod["aws"]["oidc_providers"] == []


def test_against_aws_there_is_a_role_and_no_key(read: Any) -> None:
    found = read("prod", "aws")["blueprint"]
    assert found["aws"]["users"] == []
    aws = found["releases"][0]["values"]["global"]["aws"]
    assert (aws["endpoint"], aws["existingSecret"], aws["accessKeySecret"]) == ("", "", "")


def test_a_cluster_that_gives_identities_gives_the_service_a_role(folder: Path) -> None:
    issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"
    given = {"engine": "aws", "config_api_cluster_issuer": issuer}
    assert reading(PROJECT / "inventories/prod", folder / "irsa.json", **given).returncode == 0
    found = json.loads((folder / "irsa.json").read_text())["blueprint"]
    role = found["aws"]["roles"][0]
    assert role["service_account"] == {"namespace": "prod", "name": "auxiliary-service", "oidc_provider": issuer}
    assert role["policies"] == ["kantox-challenge-prod-auxiliary-service"]
    annotations = found["releases"][0]["values"]["serviceAccount"]["annotations"]
    assert annotations == {"eks.amazonaws.com/role-arn": f"arn:aws:iam::000000000000:role/{role['name']}"}


def rendered(release: dict[str, Any], namespace: str, folder: Path) -> dict[str, Any]:
    values = folder / f"{namespace}-{release['name']}.yml"
    values.write_text(yaml.safe_dump(release["values"]))
    command = [
        os.environ["HELM"],
        "template",
        release["name"],
        release["chart"],
        "-n",
        namespace,
        "--values",
        str(values),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {one["kind"]: one for one in yaml.safe_load_all(done.stdout) if one}


@pytest.mark.parametrize("environment", ["dev", "prod", "stage"])
def test_what_helm_makes_of_it(read: Any, environment: str, folder: Path) -> None:
    auxiliary, main = read(environment)["blueprint"]["releases"]
    made = rendered(auxiliary, environment, folder)
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert told["PARAMETER_PATH"] == f"/kantox-challenge/{environment}"
    assert told["BUCKET_PREFIX"] == f"kantox-challenge-{environment}-"
    assert told["AWS_REGION"] == "eu-west-1"
    made = rendered(main, environment, folder)
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert told["AUXILIARY_URL"] == f"http://auxiliary-service.{environment}.svc:8000"
    assert ("HorizontalPodAutoscaler" in made) is (environment == "prod")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"config_api_environment": "a-name-that-is-much-too-long"}, "must be a name of at most 20 lower-case letters"),
        ({"config_api_environment": "Dev!"}, "namespace: 'Dev!' is not a name of Kubernetes"),
        ({"config_api_region": "Ireland"}, "place.region: 'Ireland' is not a region of AWS"),
        ({"config_api_github_ref": "*"}, "config_api_github_ref is '*', but must be one branch or tag"),
        ({"config_api_parameters": {"a b": "x"}}, "aws.parameters[0].name"),
        ({"config_api_parameters": "param1"}, "variables.config_api_parameters"),
    ],
)
def test_bad_settings_are_refused(folder: Path, given: dict[str, Any], says: str) -> None:
    done = reading(PROJECT / "inventories/dev", folder / "bad.json", **given)
    assert done.returncode != 0
    assert says in " ".join(done.stdout.split()), done.stdout


def test_credentials_in_the_repositorys_url_are_not_shown(folder: Path) -> None:
    secret = "https://me:ghp_hidden@github.com/a/b"
    done = reading(PROJECT / "inventories/dev", folder / "bad.json", config_api_github_repository=secret)
    assert done.returncode != 0
    assert "must be OWNER/NAME, without https:// and without credentials" in " ".join(done.stdout.split())
    assert "ghp_hidden" not in done.stdout + done.stderr


def test_with_gitops_a_repository_says_what_its_files_say_and_argo_cd_the_rest(folder: Path) -> None:
    for environment in ("dev", "stage"):
        inventory = folder / "stage" if environment == "stage" else PROJECT / "inventories/dev"
        done = reading(inventory, folder / "gitops.json", config_api_gitops=True)
        assert done.returncode == 0, done.stdout
        found = json.loads((folder / "gitops.json").read_text())
        assert found["entry"]["additions"] == ["argocd"]
        followed = found["entry"]["gitops"]
        assert (followed["environment"], followed["namespace"], followed["repository"]) == (
            environment,
            environment,
            "",
        )
        auxiliary, main = followed["services"]
        assert main["path"] == "charts/main-api"
        # A version that Argo CD is told would hide the one that is pushed.
        assert "version" not in {**main["values"], **auxiliary["values"]}
        assert auxiliary["values"]["global"]["aws"]["accessKeySecret"] == "auxiliary-service-key"
    without = reading(PROJECT / "inventories/dev", folder / "helm.json")
    assert without.returncode == 0
    assert "gitops" not in json.loads((folder / "helm.json").read_text())["entry"]


def test_a_repository_of_ones_own_is_one_value(folder: Path) -> None:
    given = {"config_api_gitops": True, "config_api_gitops_repository": "https://git.example.com/me/config.git"}
    assert reading(PROJECT / "inventories/dev", folder / "own.json", **given).returncode == 0
    found = json.loads((folder / "own.json").read_text())["entry"]["gitops"]
    assert found["repository"] == "https://git.example.com/me/config.git"


@pytest.mark.parametrize("when", [True, False])
def test_a_followed_repository_with_credentials_in_its_url_is_refused_and_not_shown(folder: Path, when: bool) -> None:
    secret = "https://me:ghp_hidden@git.example.com/a/b"
    done = reading(
        PROJECT / "inventories/dev", folder / "bad.json", config_api_gitops=when, config_api_gitops_repository=secret
    )
    assert done.returncode != 0
    assert "was given with credentials in it" in " ".join(done.stdout.split())
    assert "ghp_hidden" not in done.stdout + done.stderr

"""CloudWatch: alarms."""

from __future__ import annotations

from xml.etree import ElementTree

from compat.aws import Aws
from compat.contract import Contract

behaviour = Contract()
API = "AmazonCloudWatch/latest/APIReference/"
VERSION = "2010-08-01"
PUT = {
    "Namespace": "compat",
    "MetricName": "waiting",
    "Statistic": "Maximum",
    "Dimensions": [{"Name": "queue", "Value": "q"}],
    "Period": 60,
    "EvaluationPeriods": 2,
    "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "ActionsEnabled": True,
    "AlarmDescription": "too many wait",
    "TreatMissingData": "notBreaching",
}


def _alarm(aws: Aws) -> str:
    name = aws.name()
    aws.cloudwatch.put_metric_alarm(AlarmName=name, **PUT)
    aws.afterwards(aws.cloudwatch.delete_alarms, AlarmNames=[name])
    return name


def _missing(told: dict[str, str]) -> str | None:
    """What of an alarm was not told."""
    wanted = {name: str(value).lower() for name, value in PUT.items() if name != "Dimensions"}
    lost = sorted(name for name, value in wanted.items() if told.get(name, "").lower() != value)
    lost += ["Dimensions"] if "queue=q" not in told.get("Dimensions", "") else []
    return f"not told of an alarm: {', '.join(sorted(lost))}" if lost else None


@behaviour(
    "cloudwatch.alarms.read",
    "DescribeAlarms tells all that an alarm was put with",
    source=API + "API_DescribeAlarms.html",
    hurts="differs",
    without="tools that read alarms find a difference each time",
    features=["alarms"],
)
def read(aws: Aws) -> str | None:
    (told,) = aws.cloudwatch.describe_alarms(AlarmNames=[_alarm(aws)])["MetricAlarms"]
    texts = {name: str(value) for name, value in told.items()}
    return _missing(
        texts | {"Dimensions": " ".join(f"{one['Name']}={one['Value']}" for one in told.get("Dimensions", []))}
    )


@behaviour(
    "cloudwatch.alarms.read_by_query",
    "DescribeAlarms by the query protocol tells all that an alarm was put with",
    source=API + "API_DescribeAlarms.html",
    hurts="differs",
    without="Crossplane's provider, which speaks that protocol, sends its update of an alarm again every two seconds, with requests to the cluster",
    features=["alarms"],
)
def read_by_query(aws: Aws) -> str | None:
    body = {"Action": "DescribeAlarms", "Version": VERSION, "AlarmNames.member.1": _alarm(aws)}
    answer = ElementTree.fromstring(aws.clients.query("cloudwatch", "monitoring", body))
    told = {_name(field): field.text or "" for alarm in _below(answer, "MetricAlarms") for field in alarm}
    pairs = [one.text or "" for dimensions in _below(answer, "Dimensions") for one in dimensions]
    return _missing(told | {"Dimensions": "=".join(pairs)})


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _below(answer: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """The members of each list of this name."""
    return [one for found in answer.iter() if _name(found) == name for one in found]

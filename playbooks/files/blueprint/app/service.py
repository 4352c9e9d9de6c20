"""Publishes events that come by HTTP, and writes all events of the queue into the table."""

import json
import logging
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.config import Config

CONFIG = Config(connect_timeout=2, read_timeout=25, retries={"mode": "standard"})
log = logging.getLogger("service")


def client(service):
    """A client; AWS_REGION, AWS_ENDPOINT_URL and the keys are in the environment."""
    return boto3.client(service, config=CONFIG)


class Events:
    """The topic, the queue and the table."""

    def __init__(self):
        self.sns, self.sqs = client("sns"), client("sqs")
        self.table = boto3.resource("dynamodb", config=CONFIG).Table(os.environ["TABLE"])
        self.stopping = threading.Event()

    def publish(self, event):
        topics = self.sns.get_paginator("list_topics").paginate()
        arns = [one["TopicArn"] for page in topics for one in page["Topics"]]
        arn = next(one for one in arns if one.endswith(f":{os.environ['TOPIC']}"))
        self.sns.publish(TopicArn=arn, Message=json.dumps(event))

    def consume(self):
        """Until the pod is to stop. A message is deleted once it is written, so that none is lost."""
        while not self.stopping.is_set():
            try:
                url = self.sqs.get_queue_url(QueueName=os.environ["QUEUE"])["QueueUrl"]
                answer = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)
                for message in answer.get("Messages", []):
                    event = payload(message["Body"])
                    log.info("event %s", json.dumps(str(event["Id"])))
                    self.table.put_item(Item={"Id": str(event["Id"]), "Event": json.dumps(event)})
                    self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            except Exception as error:  # the queue keeps what could not be written, and counts the attempts
                log.warning("not consumed: %s", json.dumps(str(error)))
                self.stopping.wait(1)


def payload(body):
    """The event in a message: SNS wraps it, and so may its publisher."""
    found = json.loads(body)
    while isinstance(found, dict) and "Id" not in found and ("Message" in found or "body" in found):
        found = json.loads(found.get("Message") or found["body"])
    return found


def handler(events):
    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, value=None):
            body = json.dumps(value).encode() if value is not None else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def key(self):
            return {"Id": self.path.removeprefix("/events/")}

        def do_GET(self):
            if self.path == "/healthz":
                return self.answer(200, {"status": "ok"})
            item = events.table.get_item(Key=self.key()).get("Item")
            return self.answer(200, {"Id": item["Id"]}) if item else self.answer(404, {"title": "no such event"})

        def do_DELETE(self):
            events.table.delete_item(Key=self.key())
            self.answer(204)

        def do_POST(self):
            try:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                event["Id"]
            except (KeyError, TypeError, ValueError):
                return self.answer(400, {"title": "an event is a JSON object with an Id"})
            events.publish(event)
            return self.answer(202, {"Id": event["Id"]})

        def log_message(self, format, *arguments):
            log.debug(format, *arguments)

    return Handler


def main():
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"), format="%(levelname)s %(message)s")
    events = Events()
    server = ThreadingHTTPServer(("0.0.0.0", 8080), handler(events))
    consumer = threading.Thread(target=events.consume)
    consumer.start()

    def stop(*_arguments):
        events.stopping.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever()
    consumer.join()


if __name__ == "__main__":
    main()

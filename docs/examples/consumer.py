#!/usr/bin/env python3
"""Reads linkledger's events from NATS JetStream with nothing but Python's standard library.

    docs/examples/consumer.py [--url nats://127.0.0.1:4222] [--after POSITION] [--count N] [--type TYPE]

Prints an event per line, in order. Any NATS client library does the same in fewer lines; this one shows every
byte that goes over the wire, and checks each event against its leaf hash (docs/mirror.md).
"""
import argparse
import base64
import hashlib
import json
import socket
import sys
import urllib.parse
import uuid
from datetime import datetime, timezone

STREAM = "LINKLEDGER"


class Nats:
    """The part of the NATS protocol that a reader needs."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port or 4222), timeout=30)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()  # INFO
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True,
                   "lang": "python", "version": "1", "protocol": 1, "name": "example consumer"}
        if parts.username:
            options.update({"user": parts.username, "pass": parts.password or ""})
        self.inbox = "_INBOX." + uuid.uuid4().hex
        self.send(f"CONNECT {json.dumps(options)}\r\nSUB {self.inbox}.* 1\r\n")

    def send(self, text):
        self.socket.sendall(text.encode())

    def publish(self, subject, reply, body):
        self.send(f"PUB {subject} {self.inbox}.{reply} {len(body)}\r\n{body}\r\n")

    def receive(self):
        """The next message: (its reply subject, header lines, payload)."""
        while True:
            words = self.lines.readline().decode().split()
            if not words:
                raise EOFError("the server closed the connection")
            if words[0] == "PING":
                self.send("PONG\r\n")
            elif words[0] == "-ERR":
                raise RuntimeError(" ".join(words))
            elif words[0] in ("MSG", "HMSG"):
                total = int(words[-1])
                headers_end = int(words[-2]) if words[0] == "HMSG" else 0
                plain = 4 if words[0] == "MSG" else 5  # Words without a reply subject.
                reply = words[3] if len(words) > plain else ""
                data = self.lines.read(total + 2)[:-2]
                return reply, data[:headers_end].decode().split("\r\n"), data[headers_end:]

    def request(self, subject, body):
        self.publish(subject, "api", json.dumps(body))
        answer = json.loads(self.receive()[2])
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


def field(data):
    return len(data).to_bytes(8, "big") + data


def number(value):
    return value.to_bytes(8, "big", signed=True)


def microseconds(text):
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    since = at - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def leaf_hash(event, payload):
    """SHA-256 over the stored bytes; data and metadata are taken as they stand in the payload."""
    metadata_at = len(payload) - 1 - event["metadata_bytes"]
    data_end = metadata_at - len(',"metadata":')
    uuid_bytes = lambda text: uuid.UUID(text).bytes if text else bytes(16)

    def sealed(part):
        part = part or {"key_id": None, "sealed": ""}
        return field(uuid_bytes(part["key_id"])) + field(base64.b64decode(part["sealed"]))

    body = b"linkledger-event-v1"
    body += field(event["stream"].encode()) + field(uuid_bytes(event["event_id"]))
    body += field(event["type"].encode()) + field(number(event["schema_version"]))
    body += field(uuid_bytes(event["workspace_id"])) + field(payload[data_end - event["data_bytes"]:data_end])
    body += sealed(event["personal"]) + sealed(event["context"])
    body += field(payload[metadata_at:metadata_at + event["metadata_bytes"]])
    body += field(number(microseconds(event["occurred_at"])))
    body_hash = hashlib.sha256(base64.b64decode(event["salt"]) + body).digest()
    commitment = hashlib.sha256(number(event["position"]) + number(event["version"]) +
                                number(microseconds(event["recorded_at"])) + body_hash).digest()
    return hashlib.sha256(b"\0" + commitment).digest()


def main():
    arguments = argparse.ArgumentParser(description="Prints linkledger's events from NATS JetStream.")
    arguments.add_argument("--url", default="nats://127.0.0.1:4222")
    arguments.add_argument("--after", type=int, default=0, help="begin behind this position")
    arguments.add_argument("--count", type=int, default=0, help="so many events, then end (0: for ever)")
    arguments.add_argument("--type", default="", help="events of this type alone, as in link.clicked")
    chosen = arguments.parse_args()

    nats = Nats(chosen.url)
    config = {"deliver_policy": "by_start_sequence", "opt_start_seq": chosen.after + 1, "ack_policy": "none",
              "replay_policy": "instant", "inactive_threshold": 30_000_000_000}
    if chosen.type:
        config["filter_subject"] = f"linkledger.events.*.{chosen.type}"
    consumer = nats.request(f"$JS.API.CONSUMER.CREATE.{STREAM}", {"stream_name": STREAM, "config": config})["name"]

    printed = 0
    wanted = 0
    position = chosen.after
    while not chosen.count or printed < chosen.count:
        if wanted == 0:
            wanted = 500
            nats.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}", "pull",
                         json.dumps({"batch": wanted, "expires": 5_000_000_000}))
        reply, headers, payload = nats.receive()
        if not payload:  # 404 or 408: this request is over. Anything else: the consumer is.
            status = headers[0].split()[1] if headers and " " in headers[0] else ""
            if status not in ("404", "408"):
                raise RuntimeError(" ".join(headers))
            wanted = 0
            continue
        wanted -= 1
        event = json.loads(payload)
        sequence = int(reply.split(".")[5 if reply.count(".") == 8 else 7])
        if sequence != event["position"] or event["position"] <= position:
            sys.exit(f"position {event['position']} comes after {position} at sequence {sequence}")
        if not chosen.type and event["position"] != position + 1:
            sys.exit(f"position {event['position']} comes after {position}")
        if leaf_hash(event, payload) != base64.b64decode(event["leaf_hash"]):
            sys.exit(f"position {event['position']} is not what its leaf hash says")
        position = event["position"]
        print(position, event["recorded_at"], event["type"], event["stream"], json.dumps(event["data"]), flush=True)
        printed += 1


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        pass

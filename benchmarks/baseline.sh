#!/usr/bin/env bash
# What site.yml does, by hand: apply the same objects, install the same charts, wait, look into the emulator, and send an event
# through. For comparison only: it refuses nothing, explains nothing and finds no drift in AWS.
#
#   baseline.sh FOLDER    the stack's state folder; FOLDER/baseline holds the manifests and values (benchmarks/resources.py)
set -euo pipefail
state=$1
. "$state/env"
manifests=$state/baseline

kubectl apply --server-side --force-conflicts -f "$manifests/emulator.json"
kubectl -n devopstest rollout status statefulset/localstack --timeout=120s
helm upgrade --install crossplane "$(cat "$manifests/crossplane.chart")" -n crossplane-system -f "$manifests/crossplane.json" --wait
kubectl apply --server-side --force-conflicts -f "$manifests/providers.json"
kubectl wait --for=condition=Healthy providers.pkg.crossplane.io --all --timeout=120s
kubectl apply --server-side --force-conflicts -f "$manifests/resources.json"
kubectl wait --for=condition=Ready --timeout=120s -f "$manifests/resources.json"
helm upgrade --install justtrack-t1 charts/pipeline -n devopstest -f "$manifests/pipeline.json" --wait

topic=$(aws sns list-topics --query "Topics[?ends_with(TopicArn, 'producer-events')].TopicArn" --output text)
aws sqs get-queue-url --queue-name justtrack-dev-devops-consumer-events
aws dynamodb describe-table --table-name justtrack-dev-devops-consumer-events
id=baseline-$$-$RANDOM
body="{\"Id\":\"$id\",\"Number\":1,\"CreatedAt\":\"2026-01-01T00:00:00Z\"}"
message=$(python3 -c 'import json, sys; print(json.dumps({"attributes": {"encoding": "application/json"}, "body": sys.argv[1]}))' "$body")
aws sns publish --topic-arn "$topic" --message "$message"
for _ in $(seq 60); do
  key="{\"Id\":{\"S\":\"$id\"}}"
  found=$(aws dynamodb get-item --table-name justtrack-dev-devops-consumer-events --key "$key" --query Item.Id.S --output text)
  if [ "$found" = "$id" ]; then
    aws dynamodb delete-item --table-name justtrack-dev-devops-consumer-events --key "$key"
    exit 0
  fi
done
echo "The event did not arrive." >&2
exit 1

#!/usr/bin/env bash
# What site.yml does, by hand: apply the same objects, install the same charts, see that the needed kinds are served, wait, see
# that it is an emulator, read from it what Crossplane made there with all that can drift, send an event through, and show pods
# and items. For comparison only: it refuses nothing, explains nothing, and what it has read it compares with nothing.
#
#   baseline.sh FOLDER    the stack's state folder; FOLDER/baseline holds the manifests and values (benchmarks/resources.py)
set -euo pipefail
state=$1
. "$state/env"
manifests=$state/baseline

kubectl apply --server-side --force-conflicts -f "$manifests/emulator.json"
kubectl -n devopstest rollout status statefulset/localstack --timeout=120s
helm upgrade --install crossplane "$(cat "$manifests/crossplane.chart")" -n crossplane-system -f "$manifests/crossplane.json" --wait
served=$(kubectl api-resources --output name)
while read -r kind; do grep --quiet --line-regexp --fixed-strings "$kind" <<< "$served"; done < "$manifests/kinds"
kubectl apply --server-side --force-conflicts -f "$manifests/providers.json"
kubectl -n crossplane-system rollout status deployment/crossplane --timeout=120s
kubectl wait --for=condition=Healthy providers.pkg.crossplane.io --all --timeout=120s
kubectl apply --server-side --force-conflicts -f "$manifests/resources.json"
kubectl wait --for=condition=Ready --timeout=120s -f "$manifests/resources.json"
kubectl apply --server-side --force-conflicts -f "$manifests/credentials.json"
helm upgrade --install justtrack-t1 charts/pipeline -n devopstest -f "$manifests/pipeline.json" --wait

curl --silent --fail "$AWS_ENDPOINT_URL/_localstack/health" > /dev/null
[ "$(aws sts get-caller-identity --query Account --output text)" = 000000000000 ]
name=justtrack-dev-devops-consumer-events
topic=$(aws sns list-topics --query "Topics[?ends_with(TopicArn, 'producer-events')].TopicArn" --output text)
aws sns get-topic-attributes --topic-arn "$topic"
aws sns list-tags-for-resource --resource-arn "$topic"
subscription=$(aws sns list-subscriptions-by-topic --topic-arn "$topic" --query 'Subscriptions[0].SubscriptionArn' --output text)
aws sns get-subscription-attributes --subscription-arn "$subscription"
queue=$(aws sqs get-queue-url --queue-name "$name" --query QueueUrl --output text)
aws sqs get-queue-attributes --queue-url "$queue" --attribute-names All
aws sqs list-queue-tags --queue-url "$queue"
table=$(aws dynamodb describe-table --table-name "$name" --query Table.TableArn --output text)
aws dynamodb describe-time-to-live --table-name "$name"
aws dynamodb describe-continuous-backups --table-name "$name"
aws dynamodb list-tags-of-resource --resource-arn "$table"
id=baseline-$$-$RANDOM
body="{\"Id\":\"$id\",\"Number\":1,\"CreatedAt\":\"2026-01-01T00:00:00Z\"}"
message=$(python3 -c 'import json, sys; print(json.dumps({"attributes": {"encoding": "application/json"}, "body": sys.argv[1]}))' "$body")
aws sns publish --topic-arn "$topic" --message "$message"
for _ in $(seq 60); do
  key="{\"Id\":{\"S\":\"$id\"}}"
  found=$(aws dynamodb get-item --table-name "$name" --key "$key" --query Item.Id.S --output text)
  if [ "$found" = "$id" ]; then
    aws dynamodb delete-item --table-name "$name" --key "$key"
    aws dynamodb scan --table-name "$name"
    kubectl -n devopstest get pods
    exit 0
  fi
done
echo "The event did not arrive." >&2
exit 1

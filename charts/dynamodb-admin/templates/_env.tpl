{{/* Without an endpoint the program takes localhost, not AWS: so AWS is named. */}}
{{- define "dynamodb-admin.env" -}}
{{- $aws := .Values.global.aws -}}
- name: DYNAMO_ENDPOINT
  value: {{ $aws.endpoint | default (printf "https://dynamodb.%s.amazonaws.com" $aws.region) | quote }}
- name: AWS_REGION
  value: {{ $aws.region | quote }}
{{- end -}}

{{/* Without an endpoint the program takes localhost, not AWS: so AWS is named. Node.js loads the guard first. */}}
{{- define "dynamodb-admin.env" -}}
{{- $aws := .Values.global.aws -}}
- name: DYNAMO_ENDPOINT
  value: {{ $aws.endpoint | default (printf "https://dynamodb.%s.amazonaws.com" $aws.region) | quote }}
- name: AWS_REGION
  value: {{ $aws.region | quote }}
- name: NODE_OPTIONS
  value: --require /guard/guard.js
- name: DYNAMODB_ADMIN_WRITABLE
  value: {{ .Values.writable | quote }}
{{- end -}}

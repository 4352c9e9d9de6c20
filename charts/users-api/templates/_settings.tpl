{{/* The container's variables, name to text, keys of AWS among them. An empty one is left out: without an endpoint the SDK takes AWS. */}}
{{- define "users-api.settings" -}}
{{- $aws := .Values.global.aws -}}
{{- $settings := dict
  "AWS_REGION" $aws.region
  "AWS_ENDPOINT_URL" $aws.endpoint
  "DYNAMODB_TABLE" $aws.table
  "S3_BUCKET" $aws.bucket
  "PUBLIC_URL" .Values.publicUrl
  "MAX_AVATAR_BYTES" .Values.maxAvatarBytes
  "LOG_LEVEL" .Values.logLevel
  "PORT" 8080
  "SHUTDOWN_DELAY_SECONDS" .Values.shutdown.delaySeconds -}}
{{- range $name, $value := merge (deepCopy .Values.env) $settings }}
{{- /* As JSON, since a large number is 5e+06 as text. */}}
{{- with ternary $value ($value | toJson) (kindIs "string" $value) }}
{{ $name }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "users-api.keys" -}}
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
{{- end -}}

{{/* Variables that anybody may read. */}}
{{- define "users-api.env" -}}
{{- $keys := splitList " " (include "users-api.keys" .) -}}
{{- range $name, $value := include "users-api.settings" . | fromYaml }}
{{- if not (has $name $keys) }}
- name: {{ $name | quote }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The keys of AWS that `env` has, if any. */}}
{{- define "users-api.secret" -}}
{{- $keys := splitList " " (include "users-api.keys" .) -}}
{{- range $name, $value := include "users-api.settings" . | fromYaml }}
{{- if has $name $keys }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "users-api.secretName" -}}
{{ include "common.fullname" . | trunc 59 | trimSuffix "-" }}-aws
{{- end -}}

{{- define "users-api.port" -}}
{{ (include "users-api.settings" . | fromYaml).PORT }}
{{- end -}}

{{- define "users-api.account" -}}
{{ ternary (include "common.fullname" .) "default" (eq "true" (.Values.serviceAccount.enabled | toString | lower)) }}
{{- end -}}

{{- define "consumer.env" -}}
{{ include "common.awsEnv" . }}
- name: QUEUE_NAME
  value: {{ .Values.global.aws.queue | quote }}
- name: TABLE_NAME
  value: {{ .Values.global.aws.table | quote }}
{{- end -}}

{{- define "queueExporter.env" -}}
{{ include "common.awsEnv" . }}
- name: QUEUE_NAMES
  value: {{ prepend .Values.queues .Values.global.aws.queue | compact | uniq | join "," | quote }}
- name: QUEUE_INTERVAL
  value: {{ .Values.interval | quote }}
{{- end -}}

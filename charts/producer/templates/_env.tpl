{{- define "producer.env" -}}
{{ include "common.awsEnv" . }}
- name: TOPIC_NAME
  value: {{ .Values.global.aws.topic | quote }}
- name: PRODUCER_RATE
  value: {{ .Values.rate | quote }}
- name: PRODUCER_COUNT
  value: {{ int64 .Values.count | quote }}
{{- end -}}

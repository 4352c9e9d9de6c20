{{/* The namespace of the auxiliary service. */}}
{{- define "main-api.auxiliaryNamespace" -}}
{{- .Values.auxiliary.namespace | default .Release.Namespace -}}
{{- end -}}

{{- define "main-api.env" -}}
- name: AUXILIARY_URL
  value: {{ printf "http://%s.%s.svc:%v" .Values.auxiliary.service (include "main-api.auxiliaryNamespace" .) .Values.auxiliary.port | quote }}
- name: AUXILIARY_TIMEOUT_SECONDS
  value: {{ .Values.auxiliary.timeoutSeconds | quote }}
- name: LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: PORT
  value: "8000"
- name: SHUTDOWN_DELAY_SECONDS
  value: {{ .Values.shutdown.delaySeconds | quote }}
{{- end -}}

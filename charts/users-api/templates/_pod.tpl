{{- define "users-api.pod" -}}
{{- $settings := include "users-api.settings" . | fromYaml -}}
{{ include "common.servicePod" (dict "root" . "delay" $settings.SHUTDOWN_DELAY_SECONDS) }}
volumes:
  - name: spool
    emptyDir:
      {{- with .Values.spool.medium }}
      medium: {{ . | quote }}
      {{- end }}
      sizeLimit: {{ .Values.spool.sizeLimit }}
{{- end -}}

{{- define "users-api.container" -}}
volumeMounts:
  - name: spool
    mountPath: /tmp
{{- end -}}

{{/* The app drains itself when it is told to end, so there is no preStop hook: only the time that it needs. */}}
{{- define "users-api.pod" -}}
{{- $settings := include "users-api.settings" . | fromYaml -}}
terminationGracePeriodSeconds: {{ add ($settings.SHUTDOWN_DELAY_SECONDS | float64 | ceil) .Values.shutdown.drainSeconds }}
{{- with .Values.spreadOver }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ . | quote }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "common.selectorLabels" $ | nindent 8 }}
    # The old pods of an upgrade do not count.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
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

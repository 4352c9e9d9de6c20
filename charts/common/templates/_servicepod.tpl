{{/*
Of the pod of a service that drains itself when it is told to end: the time that it needs, without a preStop hook, and how its pods are
spread, and with which Secrets its image is pulled. Takes a dict:
  root  the chart's own context
  delay  seconds between readiness going false and the port's closing
*/}}
{{- define "common.servicePod" -}}
terminationGracePeriodSeconds: {{ add (.delay | float64 | ceil) .root.Values.shutdown.drainSeconds }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.spreadOver }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ . | quote }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "common.selectorLabels" $.root | nindent 8 }}
    # The old pods of an upgrade do not count.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

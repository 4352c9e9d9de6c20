{{/*
/metrics of the app's pods, for the Prometheus operator, where global.monitoring.enabled says so. Takes a dict:
  root  the chart's own context
  queue  (optional) the queue that the app works on, which its series get as a label
*/}}
{{- define "common.podMonitor" -}}
{{- $root := .root -}}
{{- $monitoring := dig "global" "monitoring" dict $root.Values.AsMap -}}
{{- if and $monitoring.enabled $root.Values.probes.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "common.fullname" $root | quote }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "common.labels" $root | nindent 4 }}
    {{- with $monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "common.selectorLabels" $root | nindent 6 }}
  podMetricsEndpoints:
    - port: http
      path: /metrics
      interval: {{ $monitoring.interval | default "15s" | quote }}
      relabelings:
        - targetLabel: release
          replacement: {{ $root.Release.Name | quote }}
        {{- with .queue }}
        - targetLabel: queue
          replacement: {{ . | quote }}
        {{- end }}
{{- end }}
{{- end -}}

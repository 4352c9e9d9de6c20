{{/* The app's PodDisruptionBudget; with a single pod it would only block the draining of its node. */}}
{{- define "common.pdb" -}}
{{- $scaling := .Values.autoscaling | default dict -}}
{{- $fewest := ternary $scaling.minReplicas .Values.replicas (default false $scaling.enabled) -}}
{{- if gt (int $fewest) 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "common.fullname" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}

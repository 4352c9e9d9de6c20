{{/* Labels of a component's objects. Takes a dict: root, name. */}}
{{- define "monitoring.labels" -}}
{{ include "monitoring.selector" . }}
app.kubernetes.io/part-of: monitoring
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "monitoring.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end -}}

{{- define "monitoring.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "monitoring.labels" . | nindent 2 }}
{{- end -}}

{{/* Name of what is of the whole cluster. */}}
{{- define "monitoring.clusterMetadata" -}}
name: {{ printf "%s-%s" .root.Release.Namespace .name | quote }}
labels:
  {{- include "monitoring.labels" . | nindent 2 }}
{{- end -}}

{{- define "monitoring.monitorMetadata" -}}
{{ include "monitoring.metadata" . }}
{{- with .root.Values.monitorLabels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "monitoring.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "monitoring.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

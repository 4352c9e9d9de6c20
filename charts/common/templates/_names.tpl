{{/* Name of everything the chart makes: <release>-<chart>, or fullnameOverride. */}}
{{- define "common.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-%s" .Release.Name .Chart.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the app's pods. A Deployment's selector cannot change, so nothing else may come in here. */}}
{{- define "common.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of the pods. No versions, because a new label restarts them. */}}
{{- define "common.podLabels" -}}
{{ include "common.selectorLabels" . }}
app.kubernetes.io/part-of: {{ index .Chart.Annotations "localcloud.stack/part-of" | default "pipeline" }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "common.labels" -}}
{{ include "common.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

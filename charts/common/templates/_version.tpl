{{/* The image's full reference: with the version as its tag, unless it has a tag or a digest of its own. */}}
{{- define "common.imageOfVersion" -}}
{{- $name := splitList "/" .Values.image | last -}}
{{- ternary .Values.image (printf "%s:%s" .Values.image .Values.version) (or (contains ":" $name) (contains "@" $name)) -}}
{{- end -}}

{{/* The ConfigMap with the version that the app tells in its answers. */}}
{{- define "common.versionConfigMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "common.fullname" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
data:
  SERVICE_VERSION: {{ .Values.version | quote }}
{{- end -}}

{{/* The variable that comes from it. */}}
{{- define "common.versionEnv" -}}
- name: SERVICE_VERSION
  valueFrom:
    configMapKeyRef:
      name: {{ include "common.fullname" . | quote }}
      key: SERVICE_VERSION
{{- end -}}

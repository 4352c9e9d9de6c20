{{/* What keeps the page from writing is the chart's, not the image's: it holds for everybody's image. */}}
{{- define "dynamodb-admin.pod" -}}
volumes:
  - name: guard
    configMap:
      name: {{ include "common.fullname" . | quote }}
{{- end -}}

{{- define "dynamodb-admin.container" -}}
volumeMounts:
  - name: guard
    mountPath: /guard
    readOnly: true
{{- end -}}

{{- define "auxiliary-service.env" -}}
{{- $aws := .Values.global.aws -}}
- name: AWS_REGION
  value: {{ $aws.region | quote }}
{{- with $aws.endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
- name: BUCKET_PREFIX
  value: {{ .Values.bucketPrefix | quote }}
- name: PARAMETER_PATH
  value: {{ .Values.parameterPath | quote }}
- name: ALLOW_SECURE_STRINGS
  value: {{ .Values.allowSecureStrings | quote }}
- name: LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: PORT
  value: "8000"
- name: SHUTDOWN_DELAY_SECONDS
  value: {{ .Values.shutdown.delaySeconds | quote }}
{{- with $aws.accessKeySecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: username}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: password}}
{{- end }}
{{- end -}}

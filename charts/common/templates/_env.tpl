{{/*
Variables of an app that talks to AWS. An empty endpoint means AWS itself, and the variable is there all the same: it
says so to whoever looks, and no value of the image can come in its place.
*/}}
{{- define "common.awsEnv" -}}
- name: CLOUD_AWS_DEFAULTS_ENDPOINT
  value: {{ .Values.global.aws.endpoint | quote }}
- name: AWS_REGION
  value: {{ .Values.global.aws.region | quote }}
{{- end -}}

{{/*
The app's Deployment. Takes a dict:
  root  the chart's own context
  port  the port the container listens on
  env   list of environment variables
  args  (optional) list of arguments instead of the image's own
  ready  path of the readiness probe
  live  (optional) path of the liveness probe, which by default only asks for an open port
  image  (optional) the image's full reference instead of the chart's own
  account  (optional) name of a ServiceAccount instead of the chart's own
  secrets  (optional) list of Secrets whose keys become variables, besides global.aws.existingSecret
  annotations  (optional) annotations of the pods
  pod, container  (optional) more fields of the pod's and the container's specification
An app with autoscaling enabled has no number of replicas here: each upgrade would set back what the autoscaler chose.
*/}}
{{- define "common.deployment" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $aws := dig "global" "aws" dict $values.AsMap -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "common.fullname" $root | quote }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "common.labels" $root | nindent 4 }}
spec:
  {{- if not (dig "autoscaling" "enabled" false $values.AsMap) }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "common.selectorLabels" $root | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "common.podLabels" $root | nindent 8 }}
      {{- with .annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ .account | default (include "common.fullname" $root) | quote }}
      # No app asks the Kubernetes API. A role of AWS comes by a token volume of its own.
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "common.podSecurityContext" $root | nindent 8 }}
      {{- with .pod }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      containers:
        - name: {{ $root.Chart.Name }}
          image: {{ .image | default $values.image | quote }}
          imagePullPolicy: {{ $values.imagePullPolicy }}
          {{- with .args }}
          args:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          env:
            {{- toYaml (concat .env $values.extraEnv) | nindent 12 }}
          {{- with prepend (.secrets | default list) $aws.existingSecret | compact }}
          envFrom:
            {{- range . }}
            - secretRef:
                name: {{ . | quote }}
            {{- end }}
          {{- end }}
          ports:
            - name: http
              containerPort: {{ .port }}
          {{- if $values.probes.enabled }}
          {{- include "common.probes" . | nindent 10 }}
          {{- end }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "common.containerSecurityContext" $root | nindent 12 }}
          {{- with .container }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
{{- end -}}

{{/*
Every second until the app is up, so that a rollout does not wait for a probe. A startup probe asks whether the app
lives, not whether it is ready: while AWS is away a pod is to wait, not to be restarted.
*/}}
{{- define "common.probes" -}}
{{- $probes := .root.Values.probes -}}
startupProbe:
  {{- include "common.liveness" . | nindent 2 }}
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: {{ $probes.startupSeconds }}
readinessProbe:
  httpGet:
    path: {{ .ready }}
    port: http
  periodSeconds: {{ $probes.readinessPeriodSeconds }}
  timeoutSeconds: 3
livenessProbe:
  {{- include "common.liveness" . | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
{{- end -}}

{{- define "common.liveness" -}}
{{- if .live -}}
httpGet:
  path: {{ .live }}
  port: http
{{- else -}}
tcpSocket:
  port: http
{{- end -}}
{{- end -}}

{{/* Both contexts are those of Pod Security's level "restricted", but for what an image cannot do. */}}
{{- define "common.podSecurityContext" -}}
{{- $security := .Values.security -}}
runAsNonRoot: {{ $security.runAsNonRoot }}
{{- if $security.runAsNonRoot }}
runAsUser: {{ $security.runAsUser }}
runAsGroup: {{ $security.runAsUser }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "common.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ .Values.security.readOnlyRootFilesystem }}
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The app's NetworkPolicy. Takes a dict: root (the chart's own context) and port (the one the app listens on). */}}
{{- define "common.networkPolicy" -}}
{{- $root := .root -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- if $policy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.fullname" $root }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "common.labels" $root | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selectorLabels" $root | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: {{ .port }}
          protocol: TCP
  egress:
    {{- if $policy.egress }}
    {{- toYaml $policy.egress | nindent 4 }}
    {{- else }}
    {{- include "common.egress" $root | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end -}}

{{/*
DNS, and AWS or what stands for it. A policy sees the address behind a Service, which may lie outside the cluster:
hence the endpoint's port goes anywhere, and a Service whose port is another than its target's is reached by the rule
for pods of this namespace only.
*/}}
{{- define "common.egress" -}}
{{- $endpoint := .Values.global.aws.endpoint -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
- to:
    - podSelector: {}
  ports:
    - protocol: TCP
- ports:
    - port: {{ ternary (regexFind "[0-9]+$" (regexFind ":[0-9]+$" $endpoint) | default "80") "443" (ne $endpoint "") }}
      protocol: TCP
{{- end -}}

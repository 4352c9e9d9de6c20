{{/*
The app's NetworkPolicy. Takes a dict:
  root  the chart's own context
  port  the port the app listens on
  from  (optional) list of peers that may ask the app, besides networkPolicy.from; without any, everybody may
  egress  (optional) rules, as text, instead of common.egress
*/}}
{{- define "common.networkPolicy" -}}
{{- $root := .root -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- if $policy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.fullname" $root | quote }}
  namespace: {{ $root.Release.Namespace | quote }}
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
      {{- with concat (.from | default list) ($policy.from | default list) }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
  egress:
    {{- if $policy.egress }}
    {{- toYaml $policy.egress | nindent 4 }}
    {{- else }}
    {{- if .egress }}
    {{- .egress | nindent 4 }}
    {{- else }}
    {{- include "common.egress" $root | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end -}}
{{- end -}}

{{/*
DNS, pods of this namespace, and AWS or what stands for it. A Service whose port is another than its target's is reached by the rule
for pods of this namespace only.
*/}}
{{- define "common.egress" -}}
{{ include "common.egressToDns" . }}
- to:
    - podSelector: {}
  ports:
    - protocol: TCP
{{ include "common.egressToEndpoint" (dict "root" . "endpoint" .Values.global.aws.endpoint) }}
{{- end -}}

{{/*
The endpoint. A policy sees the address and port behind a Service, which may lie outside the cluster: where global.aws.endpointAddresses
says which, only these are allowed, else the endpoint's port anywhere. Takes a dict:
  root  the chart's own context
  endpoint  the URL, empty for AWS itself
*/}}
{{- define "common.egressToEndpoint" -}}
{{- $aws := .root.Values.global.aws -}}
{{- if and $aws.endpointAddresses (eq .endpoint $aws.endpoint) -}}
{{- range $aws.endpointAddresses }}
- to:
    - ipBlock: {cidr: "{{ .address }}/{{ ternary "128" "32" (contains ":" .address) }}"}
  ports:
    - port: {{ .port }}
      protocol: TCP
{{- end }}
{{- else -}}
- ports:
    - port: {{ include "common.endpointPort" .endpoint }}
      protocol: TCP
{{- end }}
{{- end -}}

{{- define "common.egressToDns" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}

{{/* The port of an endpoint's URL; AWS itself, which is an empty one, has 443. */}}
{{- define "common.endpointPort" -}}
{{- $usual := ternary "443" "80" (or (eq . "") (hasPrefix "https://" .)) -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" .) | default $usual -}}
{{- end -}}

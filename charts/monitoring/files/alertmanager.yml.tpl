route:
  receiver: all
  group_by: [alertname, namespace]
  group_wait: {{ .Values.alertmanager.groupWait }}
  group_interval: {{ .Values.alertmanager.groupInterval }}
  repeat_interval: {{ .Values.alertmanager.repeatInterval }}
receivers:
  - name: all
    {{- with .Values.alertmanager.webhooks }}
    webhook_configs:
      {{- range . }}
      - {url: {{ . | quote }}, send_resolved: true}
      {{- end }}
    {{- end }}
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity="warning"']
    equal: [alertname, namespace, job]

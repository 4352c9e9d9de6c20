{{- define "ecr-pull-secret.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "ecr-pull-secret.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/part-of: {{ index .Chart.Annotations "localcloud.stack/part-of" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/*
One renewal: the first container asks AWS and writes the Secret to memory, the second applies it. The Secret is replaced in place, so that
there is never none; where a step fails, the one before stays. The token is in no command line and in no log.
*/}}
{{- define "ecr-pull-secret.job" -}}
backoffLimit: 4
activeDeadlineSeconds: 600
ttlSecondsAfterFinished: 86400
template:
  metadata:
    labels:
      app.kubernetes.io/name: {{ .Chart.Name }}
      app.kubernetes.io/instance: {{ .Release.Name | quote }}
      app.kubernetes.io/part-of: {{ index .Chart.Annotations "localcloud.stack/part-of" }}
  spec:
    serviceAccountName: {{ include "ecr-pull-secret.name" . | quote }}
    # Only the container that writes the Secret has the account's token, by a volume.
    automountServiceAccountToken: false
    enableServiceLinks: false
    restartPolicy: Never
    securityContext:
      runAsNonRoot: true
      runAsUser: 65532
      runAsGroup: 65532
      fsGroup: 65532
      seccompProfile:
        type: RuntimeDefault
    volumes:
      - name: work
        emptyDir:
          medium: Memory
          sizeLimit: 1Mi
      - name: tmp
        emptyDir:
          sizeLimit: 16Mi
      - name: account
        projected:
          sources:
            - serviceAccountToken: {path: token, expirationSeconds: 600}
            - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
            - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
    initContainers:
      - name: token
        image: {{ .Values.images.aws | quote }}
        imagePullPolicy: {{ .Values.imagePullPolicy }}
        command: [/bin/sh, -euc]
        args:
          - |
            # As ECR gives it, the token is what a docker configuration calls auth: base64 of AWS:<password>.
            token=$(aws ecr get-authorization-token --query 'authorizationData[0].authorizationToken' --output text)
            test -n "$token" && test "$token" != None
            config=$(printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$token" | base64 | tr -d '\n')
            umask 077
            printf '{"apiVersion":"v1","kind":"Secret","type":"kubernetes.io/dockerconfigjson",%s"data":{".dockerconfigjson":"%s"}}' \
              "$METADATA" "$config" > /work/secret.json
        env:
          - name: REGISTRY
            value: {{ .Values.registry | quote }}
          - name: METADATA
            {{- $labels := dict "app.kubernetes.io/managed-by" .Chart.Name "app.kubernetes.io/instance" .Release.Name }}
            value: {{ printf "\"metadata\":%s," (dict "name" .Values.secret "namespace" .Release.Namespace "labels" $labels | toJson) | quote }}
          - name: AWS_REGION
            value: {{ .Values.region | quote }}
          - name: HOME
            value: /tmp
          {{- with .Values.endpoint }}
          - name: AWS_ENDPOINT_URL
            value: {{ . | quote }}
          {{- end }}
        {{- with .Values.existingSecret }}
        envFrom:
          - secretRef:
              name: {{ . | quote }}
        {{- end }}
        volumeMounts:
          - {name: work, mountPath: /work}
          - {name: tmp, mountPath: /tmp}
        resources: &resources
          {{- toYaml .Values.resources | nindent 10 }}
        securityContext: &security
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop: [ALL]
    containers:
      - name: secret
        image: {{ .Values.images.kubectl | quote }}
        imagePullPolicy: {{ .Values.imagePullPolicy }}
        args: [apply, --server-side, --force-conflicts, --field-manager=ecr-pull-secret, --cache-dir=/tmp, -f, /work/secret.json]
        volumeMounts:
          - {name: work, mountPath: /work, readOnly: true}
          - {name: tmp, mountPath: /tmp}
          - {name: account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
        resources: *resources
        securityContext: *security
{{- end -}}

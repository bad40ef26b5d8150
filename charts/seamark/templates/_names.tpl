{{/* Labels of every object. */}}
{{- define "seamark.labels" -}}
app.kubernetes.io/name: seamark
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels by which the pods of a component are known; they never change. */}}
{{- define "seamark.selector" -}}
app.kubernetes.io/name: seamark
app.kubernetes.io/component: {{ . }}
{{- end }}

{{/* The image of a component: by digest where there is one. */}}
{{- define "seamark.image" -}}
{{- $image := index .Values.image .component -}}
{{- $name := $image.name -}}
{{- if .Values.image.prefix }}{{ $name = printf "%s/%s" (trimSuffix "/" .Values.image.prefix) $name }}{{ end -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Arguments that both binaries take. */}}
{{- define "seamark.common-args" -}}
- --log-level={{ .Values.log.level }}
- --log-format={{ .Values.log.format }}
- --default-class={{ .Values.loadBalancerClass.default }}
{{- range .Values.loadBalancerClass.aliases }}
- --load-balancer-class={{ . }}
{{- end }}
{{- end }}

{{/* A file of rbac/, in this release's namespace. */}}
{{- define "seamark.rbac" -}}
{{ .Files.Get (printf "rbac/%s.yaml" .file) | replace "namespace: seamark-system" (printf "namespace: %s" .Release.Namespace) }}
{{- end }}

{{/* Whether a first configuration is asked for. */}}
{{- define "seamark.quickstart" -}}
{{- if or .Values.quickstart.addresses .Values.quickstart.peers }}yes{{ end -}}
{{- end }}

{{/* Whether metrics are read from outside of a pod or node. */}}
{{- define "seamark.exposed" -}}
{{- if or .Values.monitoring.expose .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled }}yes{{ end -}}
{{- end }}

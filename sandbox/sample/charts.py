"""The gitops repository: a small, valid Helm chart for each service, with values for the baseline and for Tilt."""

from __future__ import annotations

from tasks.core.config.catalogue import Service

_HELPERS = """\
{{- define "app.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "app.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "app.fullname" . }}
  labels:
    {{- include "app.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .Chart.Name }}
      app.kubernetes.io/instance: {{ .Release.Name }}
  template:
    metadata:
      labels:
        {{- include "app.labels" . | nindent 8 }}
    spec:
      serviceAccountName: {{ include "app.fullname" . }}
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ required "image.repository is not set" .Values.image.repository }}:{{ .Values.image.tag }}"
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          envFrom:
            - configMapRef:
                name: {{ include "app.fullname" . }}
          {{- if .Values.ports }}
          ports:
            {{- range .Values.ports }}
            - name: {{ .name }}
              containerPort: {{ .port }}
            {{- end }}
          {{- end }}
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
"""
_CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "app.fullname" . }}
  labels:
    {{- include "app.labels" . | nindent 4 }}
data:
  {{- range $name, $value := .Values.env }}
  {{ $name }}: {{ $value | quote }}
  {{- end }}
"""
_ACCOUNT = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "app.fullname" . }}
  labels:
    {{- include "app.labels" . | nindent 4 }}
"""
_SERVICE = """\
{{- if .Values.ports }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "app.fullname" . }}
  labels:
    {{- include "app.labels" . | nindent 4 }}
spec:
  selector:
    app.kubernetes.io/name: {{ .Chart.Name }}
    app.kubernetes.io/instance: {{ .Release.Name }}
  ports:
    {{- range .Values.ports }}
    - name: {{ .name }}
      port: {{ .port }}
      targetPort: {{ .name }}
    {{- end }}
{{- end }}
"""
_ROUTE = """\
{{- if .Values.httproute.enabled }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ include "app.fullname" . }}
  labels:
    {{- include "app.labels" . | nindent 4 }}
spec:
  parentRefs:
    - name: {{ .Values.httproute.gateway }}
  hostnames:
    - {{ .Values.httproute.host | quote }}
  rules:
    - backendRefs:
        - name: {{ include "app.fullname" . }}
          port: {{ (index .Values.ports 0).port }}
{{- end }}
"""


def chart(service: Service) -> dict[str, str]:
    """The charts' files by path in the gitops repository."""
    place = service.chart.path
    ports = "".join(f"  - name: {p.name}\n    port: {p.port}\n" for p in service.ports)
    return {
        f"{place}/Chart.yaml": f"apiVersion: v2\nname: {service.name}\nversion: 0.1.0\ntype: application\n",
        f"{place}/values.yaml": (
            'fullnameOverride: ""\n'
            "replicas: 1\n"
            'image:\n  repository: ""\n  tag: main\n  pullPolicy: IfNotPresent\n'
            + (f"ports:\n{ports}" if ports else "ports: []\n")
            + "env: {}\nresources: {}\n"
            + 'httproute:\n  enabled: false\n  gateway: ingress\n  host: ""\n'
        ),
        f"{place}/templates/_helpers.tpl": _HELPERS,
        f"{place}/templates/deployment.yaml": _DEPLOYMENT,
        f"{place}/templates/configmap.yaml": _CONFIG,
        f"{place}/templates/serviceaccount.yaml": _ACCOUNT,
        f"{place}/templates/service.yaml": _SERVICE,
        f"{place}/templates/httproute.yaml": _ROUTE,
    }


def values(service: Service, registry: str) -> dict[str, str]:
    """The values files at the paths in the catalogue: shared, of the baseline, and Tilt's overlay."""
    layers = [*service.chart.values, *service.chart.tilt_values]
    shared, own, tilt = layers[0], service.chart.values[-1], service.chart.tilt_values[-1]
    files = {
        shared: f"image:\n  repository: {registry}/{service.image}\nenv:\n  APP_NAME: {service.name}\n",
        own: f"fullnameOverride: {service.name}\nenv:\n  APP_ENVIRONMENT: dev\n" + _route(service.hosts.get("dev", "")),
        tilt: (
            f"fullnameOverride: {service.name}-tilt\nenv:\n  APP_ENVIRONMENT: tilt\n"
            + _route(service.hosts.get("tilt", ""))
        ),
    }
    return {**dict.fromkeys(layers, "{}\n"), **files}


def _route(host: str) -> str:
    return f"httproute:\n  enabled: true\n  host: {host}\n" if host else "httproute:\n  enabled: false\n"

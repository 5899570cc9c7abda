#!/bin/sh
# Prints what tasks/objects.yml has applied, as the API has it now, without what controllers and the holders of Leases write.
# Usage: list-objects.sh KUBECTL KUBECONFIG SET,SET...
set -eu
kinds=namespaces,configmaps,secrets,services,serviceaccounts,deployments.apps,leases.coordination.k8s.io
kinds=$kinds,clusterroles.rbac.authorization.k8s.io,clusterrolebindings.rbac.authorization.k8s.io
kinds=$kinds,roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,apiservices.apiregistration.k8s.io
kinds=$kinds,validatingadmissionpolicies.admissionregistration.k8s.io
kinds=$kinds,validatingadmissionpolicybindings.admissionregistration.k8s.io
"$1" --kubeconfig="$2" get "$kinds" --all-namespaces --selector="inaetics.org/applied-by in ($3)" --output=go-template='
{{- range .items }}
{{ .kind }} {{ .metadata.namespace }}/{{ .metadata.name }} {{ .metadata.labels }}
{{ if ne .kind "Lease" }}{{ .spec }}{{ end }} {{ .type }} {{ .data }} {{ .rules }} {{ .roleRef }} {{ .subjects }}
{{ end }}'

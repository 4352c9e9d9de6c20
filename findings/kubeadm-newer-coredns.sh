#!/usr/bin/env bash
# corefile-migration 1.0.34, by which kubeadm 1.37.2 looks at CoreDNS when it upgrades a cluster: a CoreDNS that is newer than the library's own list of
# releases is an error ("start version … not supported"), also where nothing of the configuration would change. CoreDNS 1.14.7, a patch release after
# kubeadm's 1.14.6, is one, the older 1.14.5 another, and kubeadm itself offers to set it (ClusterConfiguration, dns.imageTag).
# Who has set a newer CoreDNS for a fix sees `kubeadm upgrade apply` fail at its phase addon/coredns, when etcd, API server, controllers and kubelet's
# configuration are of the new release already; run again it fails in the same way. Without the phase (skipPhases: [addon/coredns]) it passes, and
# CoreDNS is updated by its image. Needs Go 1.26.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE="$folder/modules" GOCACHE="$folder/cache" GOFLAGS=-mod=mod GOWORK=off
cd "$folder"
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/coredns/corefile-migration/migration"
)

const corefile = ".:53 {\n    errors\n    health\n    ready\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n    cache 30\n    reload\n}\n"

func main() {
	_, known := migration.Deprecated("1.14.2", "1.14.6", corefile)
	_, newer := migration.Deprecated("1.14.7", "1.14.6", corefile)
	fmt.Printf("corefile-migration 1.0.34: from CoreDNS 1.14.2 to 1.14.6: %v; from 1.14.7: %v\n", known, newer)
	if known != nil || newer == nil || newer.Error() != "start version '1.14.7' not supported" {
		fmt.Println("It answers otherwise now.")
		os.Exit(1)
	}
}
GO
go mod init example.org/finding 2> /dev/null
go get github.com/coredns/corefile-migration@v1.0.34 2> /dev/null
go run .

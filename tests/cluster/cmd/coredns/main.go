// Command coredns is CoreDNS with the few plugins that this cluster's Corefile names. It is a main
// package of its own, apart from node, so that its image stays small.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// The order in which a query passes through the plugins. Upstream asks template before kubernetes;
	// here it answers what kubernetes does not know.
	dnsserver.Directives = []string{"errors", "health", "ready", "cache", "loadbalance", "kubernetes", "template"}
	coremain.Run()
}

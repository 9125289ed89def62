// Command node is every Kubernetes component of the cluster, and etcd, in one binary: its first
// argument names the component, the others are that component's own.
//
// One binary, because the components share most of their code: 130 MB instead of six times 60.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	// The upstream main packages import these two for their side effects: client and version metrics.
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

// commands makes each component's command only when it is asked for: making one registers flags and
// feature gates that another would then find taken.
var commands = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-proxy":              proxy.NewProxyCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 newKubelet,
}

// newKubelet makes the kubelet's command, which Kubernetes 1.30 makes without a context. What it is made by is a
// variable here so that this compiles with each version.
func newKubelet() *cobra.Command {
	var newCommand any = kubelet.NewKubeletCommand
	if newCommand, ok := newCommand.(func() *cobra.Command); ok {
		return newCommand()
	}
	return newCommand.(func(context.Context) *cobra.Command)(context.Background())
}

func main() {
	if len(os.Args) > 1 {
		os.Args = os.Args[1:] // the components read their flags from os.Args[1:]
		if os.Args[0] == "etcd" {
			etcdmain.Main(os.Args)
			return
		}
		if command := commands[os.Args[0]]; command != nil {
			os.Exit(cli.Run(command()))
		}
	}
	fmt.Fprintln(os.Stderr, "usage: node etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|kubelet [FLAG...]")
	os.Exit(2)
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	etcdAddress = "127.0.0.1:2379"

	// startLimit is for each thing that is awaited. A machine that is busy with a build is slow.
	startLimit = 2 * time.Minute
)

// node is the running cluster, as seen from inside.
type node struct {
	slot
	components map[string]*component
	config     *rest.Config
	client     kubernetes.Interface
	registry   *imageRegistry
	workers    []*worker
	begun      time.Time
	isCut      atomic.Bool // clients outside are cut off
}

// nodeMain brings the cluster up, tells run that it is ready by a byte on descriptor 3, and then serves ctl.
func nodeMain(s slot) error {
	n := &node{slot: s, workers: s.workers(), begun: time.Now()}
	if err := n.start(context.Background()); err != nil {
		return err
	}
	ready := os.NewFile(3, "ready")
	if _, err := ready.Write([]byte{1}); err != nil {
		return err
	}
	ready.Close()
	select {} // until init is killed
}

// start starts everything, as much at once as the dependencies allow, and waits until it works.
func (n *node) start(ctx context.Context) error {
	if err := n.prepare(); err != nil {
		return err
	}
	// The API server takes longest, so it starts at once; it waits for etcd by itself.
	if err := n.startComponents("etcd", "kube-apiserver"); err != nil {
		return err
	}
	if err := n.startOnNodes("containerd"); err != nil {
		return err
	}
	imported := make(chan error, len(n.workers))
	for _, w := range n.workers {
		go func() { imported <- n.startRuntime(w) }()
	}
	if err := n.awaitAPI(); err != nil {
		return err
	}
	say("API server ready after %s", since(n.begun))
	if err := n.startComponents("kube-controller-manager", "kube-scheduler"); err != nil {
		return err
	}
	if err := n.startOnNodes("kube-proxy"); err != nil {
		return err
	}
	for range n.workers {
		if err := <-imported; err != nil {
			return err
		}
	}
	if err := n.startOnNodes("kubelet"); err != nil {
		return err
	}
	if err := n.populate(ctx); err != nil {
		return err
	}
	if err := enforcePolicies(ctx, n.client, n.workers); err != nil {
		return err
	}
	go runProvisioner(ctx, n.client, n.workers)
	if err := n.serveControl(); err != nil {
		return err
	}
	if err := n.awaitWorking(ctx); err != nil {
		return err
	}
	for _, c := range n.components {
		c.keepRunning()
	}
	return nil
}

func (n *node) startComponents(names ...string) error {
	for _, name := range names {
		if err := n.components[name].start(); err != nil {
			return err
		}
	}
	return nil
}

// startOnNodes starts a component on each node.
func (n *node) startOnNodes(name string) error {
	for _, w := range n.workers {
		if err := n.startComponents(w.of(name)); err != nil {
			return err
		}
	}
	return nil
}

// prepare does what needs no component: cgroups, network, the further nodes' namespaces, clients, the registry.
func (n *node) prepare() error {
	if err := settleCgroups("1", "0"); err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	if _, err := setUpLinks(n.workers[0]); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if err := errors.Join(os.MkdirAll(volumesDir, 0o755), os.MkdirAll(sharedDir, 0o755)); err != nil {
		return err
	}
	for _, w := range n.workers[1:] {
		if err := w.startHolder(); err != nil {
			return fmt.Errorf("%s: %w", w.name(), err)
		}
	}
	n.components = n.slot.components(n.workers)
	var err error
	if n.config, err = clientcmd.BuildConfigFromFlags("", n.in("config/admin.kubeconfig")); err != nil {
		return err
	}
	n.config.QPS, n.config.Burst = 1000, 2000
	if n.client, err = kubernetes.NewForConfig(n.config); err != nil {
		return err
	}
	// The provisioner's library logs by klog.
	log, err := os.Create(n.in("log/provisioner.log"))
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	if err := errors.Join(flags.Set("logtostderr", "false"), flags.Set("stderrthreshold", "FATAL")); err != nil {
		return err
	}
	klog.SetOutput(log)
	log, err = os.Create(n.in("log/registry.log"))
	if err != nil {
		return err
	}
	if n.registry, err = serveRegistry(n.build+"/images", log, n.workers); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

// startRuntime waits for a node's containerd and imports the images, so that pods need not pull them.
func (n *node) startRuntime(w *worker) error {
	containerd := w.of("containerd")
	err := n.await(containerd, containerd, func() error {
		connection, err := net.Dial("unix", w.root()+containerdSocket)
		if err == nil {
			connection.Close()
		}
		return err
	})
	if err != nil {
		return err
	}
	load := w.enter("ctr", "--address="+containerdSocket, "--namespace=k8s.io", "images", "import", w.build+"/images.tar")
	out, err := exec.Command(load[0], load[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("importing the images: %w: %s\n%s's log:\n%s", err, out, containerd, n.components[containerd].excerpt())
	}
	if w.isFirst() {
		say("images imported after %s", since(n.begun))
	}
	return nil
}

// awaitAPI waits until the API server and all of its start-up hooks are done, RBAC's roles among them.
func (n *node) awaitAPI() error {
	return n.await("the API server", "kube-apiserver", func() error {
		body, err := n.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(context.Background()).Raw()
		if err != nil && len(body) > 0 {
			return fmt.Errorf("%w: %s", err, body)
		}
		return err
	})
}

func (n *node) populate(ctx context.Context) error {
	client, err := dynamic.NewForConfig(n.config)
	if err != nil {
		return err
	}
	// The namespace kube-system is made by the API server itself, a moment after it is ready.
	return n.await("the first objects", "kube-apiserver", func() error { return createObjects(ctx, client) })
}

// awaitWorking waits for all that a pod needs: a node that takes it, a service account, and names that resolve
// through the Service, which shows CoreDNS, its pod and kube-proxy at work.
func (n *node) awaitWorking(ctx context.Context) error {
	for _, w := range n.workers {
		if err := n.awaitReady(ctx, w); err != nil {
			return err
		}
	}
	say("node ready after %s", since(n.begun))
	err := n.await("the default service account", "kube-controller-manager", func() error {
		_, err := n.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	if err != nil {
		return err
	}
	if err := n.await("DNS", "kubelet", func() error { return n.dnsAnswers(ctx) }); err != nil {
		return fmt.Errorf("%w\nCoreDNS: %s", err, describeDNS(ctx, n.client))
	}
	say("DNS ready after %s", since(n.begun))
	return nil
}

// awaitReady waits until pods can be scheduled to a node. One of several has its part of the pods' network.
func (n *node) awaitReady(ctx context.Context, w *worker) error {
	err := n.await(w.name(), w.of("kubelet"), func() error { return nodeReady(ctx, n.client, w.name()) })
	if err != nil || len(n.workers) == 1 {
		return err
	}
	return setPodNetwork(ctx, n.client, w)
}

// dnsAnswers returns nil once each pod of CoreDNS, one for each node, is there and names resolve.
func (n *node) dnsAnswers(ctx context.Context) error {
	if len(n.workers) > 1 {
		if err := dnsServes(ctx, n.client, len(n.workers)); err != nil {
			return err
		}
	}
	return resolve(ctx)
}

// resolve asks the cluster's DNS for the name that every cluster has.
func resolve(ctx context.Context) error {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(dnsAddress(), "53"))
	}}
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err := resolver.LookupHost(ctx, "kubernetes.default.svc."+domain()+".")
	if failed := (*net.DNSError)(nil); errors.As(err, &failed) {
		return fmt.Errorf("%s: %s", dnsAddress(), failed.Err) // the error itself would name a server of resolv.conf
	}
	return err
}

// await waits for what a component is to bring, and adds the component's log to a failure. It ends early when
// any component ends by itself and nothing starts it again, whose log is then printed already.
func (n *node) await(what, name string, ready func() error) error {
	err := await(what, startLimit, n.alive, ready)
	if err != nil && n.alive() == nil {
		return fmt.Errorf("%w\nthe log of %s says:\n%s", err, name, n.components[name].excerpt())
	}
	return err
}

func (n *node) alive() error {
	for _, c := range n.components {
		if err := c.died(); err != nil {
			return err
		}
	}
	return nil
}

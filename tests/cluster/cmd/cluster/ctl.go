package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A control verb does one thing to the running cluster and returns when it is done. What it returns is printed.
var verbs = map[string]func(n *node, ctx context.Context, argument string) ([]byte, error){
	// cut: clients outside the namespaces reach the API server no more; inside all goes on.
	"cut":  func(n *node, _ context.Context, _ string) ([]byte, error) { return nil, n.cut() },
	"heal": func(n *node, _ context.Context, _ string) ([]byte, error) { return nil, n.heal() },

	"stop-api": func(n *node, _ context.Context, _ string) ([]byte, error) {
		return nil, n.components["kube-apiserver"].stop()
	},
	"start-api": func(n *node, _ context.Context, _ string) ([]byte, error) { return nil, n.startAPI() },
	"forget":    func(n *node, ctx context.Context, _ string) ([]byte, error) { return nil, n.forget(ctx) },

	"await-pod": func(n *node, ctx context.Context, pod string) ([]byte, error) { return nil, n.awaitPod(ctx, pod) },

	"node-lost": func(n *node, ctx context.Context, name string) ([]byte, error) { return nil, n.nodeLost(ctx, name) },
	"node-back": func(n *node, ctx context.Context, name string) ([]byte, error) { return nil, n.nodeBack(ctx, name) },
	"kubelet": func(n *node, ctx context.Context, argument string) ([]byte, error) {
		w, setting := n.workerOf(argument)
		return nil, n.reconfigureKubelet(ctx, w, setting)
	},

	"dns-down": func(n *node, ctx context.Context, _ string) ([]byte, error) { return nil, n.dnsDown(ctx) },
	"dns-up":   func(n *node, ctx context.Context, _ string) ([]byte, error) { return nil, n.dnsUp(ctx) },

	"default-class": func(n *node, ctx context.Context, _ string) ([]byte, error) {
		return nil, setDefaultClass(ctx, n.client, true)
	},
	"no-default-class": func(n *node, ctx context.Context, _ string) ([]byte, error) {
		return nil, setDefaultClass(ctx, n.client, false)
	},

	"add-images": func(n *node, _ context.Context, folder string) ([]byte, error) {
		return nil, n.registry.addImages(n.in(folder))
	},

	"logs": func(n *node, _ context.Context, component string) ([]byte, error) { return n.logs(component) },
}

// control is "cluster ctl VERB [ARGUMENT]": it asks the cluster that STSGRADE_CLUSTER names.
func control(args []string) error {
	state := os.Getenv("STSGRADE_CLUSTER")
	if state == "" {
		return errors.New("STSGRADE_CLUSTER is not set: ctl works for a command that run started")
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(state, "ctl.sock"))
	}}}
	response, err := client.Post("http://cluster/"+args[0], "text/plain", strings.NewReader(strings.Join(args[1:], " ")))
	if err != nil {
		return fmt.Errorf("the cluster of %s does not answer: %w", state, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		message, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", args[0], bytes.TrimSpace(message))
	}
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// serveControl answers control on a socket in the state folder, which is the same folder inside and outside.
func (n *node) serveControl() error {
	listener, err := net.Listen("unix", n.in("ctl.sock"))
	if err != nil {
		return err
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verb := verbs[strings.TrimPrefix(r.URL.Path, "/")]
		if verb == nil {
			http.Error(w, "no such verb; there are "+strings.Join(sortedKeys(verbs), ", "), http.StatusNotFound)
			return
		}
		argument, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := verb(n, r.Context(), string(argument))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(out)
	}))
	return nil
}

func (n *node) startAPI() error {
	c := n.components["kube-apiserver"]
	if c.alive() == nil {
		return errors.New("kube-apiserver runs already")
	}
	if err := c.start(); err != nil {
		return err
	}
	return n.awaitAPI()
}

// forget makes the API server answer 410 Gone for every resourceVersion that a client can have by now.
func (n *node) forget(ctx context.Context) error {
	api := n.components["kube-apiserver"]
	if err := api.stop(); err != nil {
		return err
	}
	if err := n.dropUnsent(ctx); err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{etcdAddress}, DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer client.Close()
	// Two writes of our own: the revision that the last client saw becomes older than the oldest kept.
	var revision int64
	for range 2 {
		put, err := client.Put(ctx, "stsgrade-cluster/forget", time.Now().String())
		if err != nil {
			return err
		}
		revision = put.Header.Revision
	}
	if _, err := client.Compact(ctx, revision, clientv3.WithCompactPhysical()); err != nil {
		return err
	}
	if err := api.start(); err != nil {
		return err
	}
	return n.awaitAPI()
}

// awaitPod waits until there is a pod NAMESPACE/NAME, as seen from inside: it works while clients outside are cut off.
func (n *node) awaitPod(ctx context.Context, pod string) error {
	namespace, name, found := strings.Cut(pod, "/")
	if !found {
		return fmt.Errorf("a pod is NAMESPACE/NAME, not %q", pod)
	}
	return await("pod "+pod, 2*time.Minute, ctx.Err, func() error {
		_, err := n.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		return err
	})
}

func (n *node) dnsDown(ctx context.Context) error {
	if err := scaleDNS(ctx, n.client, 0); err != nil {
		return err
	}
	return await("CoreDNS's end", time.Minute, nil, func() error {
		if pods, err := dnsPods(ctx, n.client); err != nil || pods > 0 {
			return errors.Join(err, fmt.Errorf("%d pods are left", pods))
		}
		return nil
	})
}

func (n *node) dnsUp(ctx context.Context) error {
	if err := scaleDNS(ctx, n.client, len(n.workers)); err != nil {
		return err
	}
	return await("CoreDNS", time.Minute, nil, func() error { return n.dnsAnswers(ctx) })
}

// logs returns the log of a component, of the provisioner, the registry or CoreDNS.
func (n *node) logs(name string) ([]byte, error) {
	patterns := []string{n.in("log/" + filepath.Base(name) + ".log")}
	if name == "coredns" {
		patterns = nil
		for _, w := range n.workers {
			patterns = append(patterns, w.root()+"/var/log/pods/kube-system_coredns-*/*/*.log")
		}
	}
	var paths []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		known, _ := filepath.Glob(n.in("log/*.log"))
		for i := range known {
			known[i] = strings.TrimSuffix(filepath.Base(known[i]), ".log")
		}
		return nil, fmt.Errorf("no log of %q; there are coredns, %s", name, strings.Join(known, ", "))
	}
	var all []byte
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		all = append(all, content...)
	}
	return all, nil
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

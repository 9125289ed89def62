package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A component is one program of the node: how it is started, and whether it still runs.
type component struct {
	name string
	args []string
	log  string

	mu       sync.Mutex
	cmd      *exec.Cmd
	gone     chan struct{} // closed when the process has ended
	stopped  bool          // it ended because stop was called
	restarts bool          // it is started again when it ends by itself
}

// patience is how long a silent kubelet counts as alive: a machine that is busy building must not make the only node unready.
const patience = "5m"

// nodeComponents is what runs on each node.
var nodeComponents = []string{"containerd", "kubelet", "kube-proxy"}

func (w *worker) components() []*component {
	kubelet := []string{w.node(), "kubelet",
		"--config=" + w.in("config/kubelet.yaml"), "--kubeconfig=" + w.in("config/kubelet.kubeconfig"),
		"--hostname-override=" + w.name(), "--node-ip=" + families(w.ip().String(), w.ip6().String())}
	if nodeCount() > 1 {
		kubelet = append(kubelet, "--node-labels=topology.kubernetes.io/zone="+w.zone())
	}
	proxy := []string{w.node(), "kube-proxy", "--config=" + w.in("config/kube-proxy.yaml"), "--hostname-override=" + w.name()}
	return []*component{
		{name: w.of("containerd"), args: w.enter("containerd", "--config="+w.in("config/containerd.toml"))},
		{name: w.of("kubelet"), args: w.enter(kubelet...)},
		{name: w.of("kube-proxy"), args: w.enter(proxy...)},
	}
}

// components lists what runs: the control plane in the order of the data's way, and each node's own, whose
// namespaces there must be.
func (s slot) components(workers []*worker) map[string]*component {
	ip := primary(s.innerIP().String(), workers[0].ip6().String())
	client := func(name string) string { return s.in("config/" + name + ".kubeconfig") }
	list := []*component{
		{name: "etcd", args: []string{s.node(), "etcd",
			"--data-dir=/var/lib/etcd",
			"--listen-client-urls=http://" + etcdAddress, "--advertise-client-urls=http://" + etcdAddress,
			"--listen-peer-urls=http://127.0.0.1:2380",
			"--unsafe-no-fsync", // its disk is memory: there is nothing to survive for
		}},
		{name: "kube-apiserver", args: []string{s.node(), "kube-apiserver",
			"--etcd-servers=http://" + etcdAddress,
			"--bind-address=" + primary("0.0.0.0", "::"), "--secure-port=6443", "--advertise-address=" + ip,
			"--service-cluster-ip-range=" + families(serviceNetwork, serviceNetwork6),
			"--tls-cert-file=" + s.in("pki/server.crt"), "--tls-private-key-file=" + s.in("pki/server.key"),
			"--client-ca-file=" + s.in("pki/ca.crt"),
			"--kubelet-client-certificate=" + s.in("pki/kubelet-client.crt"), "--kubelet-client-key=" + s.in("pki/kubelet-client.key"),
			"--kubelet-preferred-address-types=InternalIP",
			"--service-account-key-file=" + s.in("pki/accounts.key"), "--service-account-signing-key-file=" + s.in("pki/accounts.key"),
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
			"--allow-privileged=true", "--event-ttl=1h",
		}},
		{name: "kube-controller-manager", args: []string{s.node(), "kube-controller-manager",
			"--kubeconfig=" + client("kube-controller-manager"),
			"--authentication-kubeconfig=" + client("kube-controller-manager"), "--authorization-kubeconfig=" + client("kube-controller-manager"),
			"--leader-elect=false",
			"--service-account-private-key-file=" + s.in("pki/accounts.key"), "--root-ca-file=" + s.in("pki/ca.crt"),
			"--use-service-account-credentials=true",
			"--cluster-signing-cert-file=" + s.in("pki/ca.crt"), "--cluster-signing-key-file=" + s.in("pki/ca.key"),
			"--kube-api-qps=1000", "--kube-api-burst=2000",
			"--concurrent-statefulset-syncs=20", "--concurrent-resource-quota-syncs=20", "--concurrent-namespace-syncs=20",
			"--concurrent-gc-syncs=20", "--concurrent-endpoint-syncs=20", "--concurrent-service-endpoint-syncs=20",
			"--node-monitor-grace-period=" + patience,
			// The taint of a new node goes at the latest one such period after it is ready: 5 s by default.
			"--node-monitor-period=1s",
		}},
		{name: "kube-scheduler", args: []string{s.node(), "kube-scheduler",
			"--config=" + s.in("config/kube-scheduler.yaml"),
			"--authentication-kubeconfig=" + client("kube-scheduler"), "--authorization-kubeconfig=" + client("kube-scheduler"),
		}},
	}
	for _, w := range workers {
		list = append(list, w.components()...)
	}
	byName := map[string]*component{}
	for _, c := range list {
		c.log = s.in("log/" + c.name + ".log")
		byName[c.name] = c
	}
	return byName
}

// restartDelay is how long a component that ended by itself is not started again: one that cannot start must not
// keep the machine busy.
const restartDelay = time.Second

// start runs the component. Its log is appended to, so that a restart keeps what came before.
func (c *component) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.startLocked()
}

func (c *component) startLocked() error {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	gone := make(chan struct{})
	c.cmd, c.gone, c.stopped = cmd, gone, false
	go func() {
		cmd.Wait() // how it ended is in ProcessState
		c.mu.Lock()
		expected, restarts := c.stopped, c.restarts
		c.mu.Unlock()
		if !expected {
			say("%s died (%v); its log says:\n%s", c.name, cmd.ProcessState, c.excerpt())
		}
		close(gone) // after that, so that whoever waits for it adds to a message that is already there
		if !expected && restarts {
			time.Sleep(restartDelay)
			c.startAgain(cmd)
		}
	}()
	return nil
}

// startAgain starts a component whose process ended by itself, unless somebody stopped or started it meanwhile.
func (c *component) startAgain(ended *exec.Cmd) {
	for !c.tryAgain(ended) {
		time.Sleep(restartDelay)
	}
}

// tryAgain tells whether there is nothing more to try.
func (c *component) tryAgain(ended *exec.Cmd) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped || c.cmd != ended {
		return true
	}
	if err := c.startLocked(); err != nil {
		say("%v", err)
		return false
	}
	say("%s is started again", c.name)
	return true
}

// keepRunning makes sure that the component is started again whenever it ends by itself, as the kubelet does with the
// pods of a control plane: kube-scheduler ends itself where a watch that broke let it miss that a pod was replaced
// ("Scheduler cache is corrupted", cache.go in pkg/scheduler/backend/cache).
func (c *component) keepRunning() {
	hasEnded := c.died() != nil
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restarts = true
	if hasEnded {
		go c.startAgain(c.cmd)
	}
}

// stop kills the component and waits for its end. It dies as in a crash: a graceful stop would first
// wait for its clients, which is not what a test of a lost API server wants.
func (c *component) stop() error {
	c.mu.Lock()
	cmd, gone := c.cmd, c.gone
	if cmd == nil || c.stopped {
		c.mu.Unlock()
		return fmt.Errorf("%s does not run", c.name)
	}
	c.stopped = true
	c.mu.Unlock()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-gone
	return nil
}

// alive returns nil as long as the component runs.
func (c *component) alive() error {
	c.mu.Lock()
	gone := c.gone
	c.mu.Unlock()
	if gone == nil {
		return nil // not started yet
	}
	select {
	case <-gone:
		return fmt.Errorf("%s has ended", c.name)
	default:
		return nil
	}
}

// died returns an error when the component has ended by itself and nothing starts it again.
func (c *component) died() error {
	c.mu.Lock()
	expected := c.stopped || c.restarts
	c.mu.Unlock()
	if expected {
		return nil
	}
	return c.alive()
}

// telling matches log lines that say what went wrong: klog's errors, etcd's and containerd's, and Go's panics.
var telling = regexp.MustCompile(`^[EF]\d{4} |"level":"(error|fatal|panic)"|level=(error|fatal)|^panic:|^Error:|^fatal error`)

// excerpt returns the last lines of the log that matter, or just the last ones.
func (c *component) excerpt() string { return excerpt(c.log) }

func excerpt(path string) string {
	const most = 8
	content, err := os.ReadFile(path)
	if err != nil {
		return "    " + err.Error()
	}
	var all, bad []string
	for line := range bytes.Lines(content) {
		text := strings.TrimRight(string(line), "\n")
		if len(text) > 400 {
			text = text[:400] + "…"
		}
		all = append(all, "    "+text)
		if telling.MatchString(text) {
			bad = append(bad, "    "+text)
		}
	}
	chosen := bad
	if len(chosen) == 0 {
		chosen = all
	}
	return strings.Join(chosen[max(0, len(chosen)-most):], "\n")
}

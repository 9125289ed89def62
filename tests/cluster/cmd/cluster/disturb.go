package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// workerOf takes a node's name off the front of an argument. Without one it is the first node.
func (n *node) workerOf(argument string) (*worker, string) {
	name, rest, _ := strings.Cut(argument, " ")
	if w, err := workerNamed(n.workers, name); err == nil {
		return w, rest
	}
	return n.workers[0], argument
}

// workerOrFirst finds a node by its name. Without a name it is the first.
func (n *node) workerOrFirst(name string) (*worker, error) {
	if name == "" {
		return n.workers[0], nil
	}
	return workerNamed(n.workers, name)
}

// nodeLost kills a kubelet and waits until the node controller, made impatient, has given the node up.
func (n *node) nodeLost(ctx context.Context, name string) error {
	w, err := n.workerOrFirst(name)
	if err != nil {
		return err
	}
	if err := n.components[w.of("kubelet")].stop(); err != nil {
		return err
	}
	impatience := "2s"
	if len(n.workers) > 1 {
		impatience = "8s" // the others renew their leases each second, see kubeletSeveral
	}
	if err := n.setPatience(impatience); err != nil {
		return err
	}
	return n.await("the node to be given up", "kube-controller-manager", func() error {
		node, err := n.client.CoreV1().Nodes().Get(ctx, w.name(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if status := readyCondition(node).Status; status == corev1.ConditionTrue {
			return fmt.Errorf("it is Ready: %s", status)
		}
		return nil
	})
}

// nodeBack starts a kubelet and waits until pods can be scheduled again.
func (n *node) nodeBack(ctx context.Context, name string) error {
	w, err := n.workerOrFirst(name)
	if err != nil {
		return err
	}
	if err := n.setPatience(patience); err != nil {
		return err
	}
	if err := n.startKubelet(ctx, w); err != nil {
		return err
	}
	return n.await(w.name(), w.of("kubelet"), func() error { return nodeReady(ctx, n.client, w.name()) })
}

// setPatience restarts the controller manager with another time for which a silent kubelet counts as alive.
func (n *node) setPatience(period string) error {
	const flag = "--node-monitor-grace-period="
	manager := n.components["kube-controller-manager"]
	if err := manager.stop(); err != nil {
		return err
	}
	for i, arg := range manager.args {
		if strings.HasPrefix(arg, flag) {
			manager.args[i] = flag + period
		}
	}
	return manager.start()
}

// reconfigureKubelet restarts a kubelet with one setting, "FIELD: VALUE", replaced, or with its own for an empty one.
func (n *node) reconfigureKubelet(ctx context.Context, w *worker, setting string) error {
	settings, err := kubeletSettings(setting)
	if err != nil {
		return err
	}
	if err := n.components[w.of("kubelet")].stop(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.configDir(), "kubelet.yaml"), []byte(settings), 0o600); err != nil {
		return err
	}
	return n.startKubelet(ctx, w)
}

// startKubelet starts a kubelet and waits for its first report.
func (n *node) startKubelet(ctx context.Context, w *worker) error {
	heartbeat := func() (time.Time, error) {
		node, err := n.client.CoreV1().Nodes().Get(ctx, w.name(), metav1.GetOptions{})
		if err != nil {
			return time.Time{}, err
		}
		return readyCondition(node).LastHeartbeatTime.Time, nil
	}
	before, err := heartbeat()
	if err != nil {
		return err
	}
	// Reports are told apart by their second.
	if err := await("the next second", time.Minute, ctx.Err, func() error {
		if now := time.Now(); now.Unix() <= before.Unix() {
			return fmt.Errorf("it is %s", now)
		}
		return nil
	}); err != nil {
		return err
	}
	kubelet := w.of("kubelet")
	if err := n.components[kubelet].start(); err != nil {
		return err
	}
	return n.await("the kubelet's first report", kubelet, func() error {
		if now, err := heartbeat(); err != nil || !now.After(before) {
			return fmt.Errorf("the last one is of %s (%v)", before, err)
		}
		return nil
	})
}

func readyCondition(node *corev1.Node) *corev1.NodeCondition {
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady {
			return &node.Status.Conditions[i]
		}
	}
	node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeReady})
	return &node.Status.Conditions[len(node.Status.Conditions)-1]
}

// Package selftest holds run to its promises: "go test ./selftest", as root, on a machine with nothing else going on.
package selftest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start starts run with a shell script as CMD, and returns once the script printed "up".
func start(t *testing.T, script string) (*exec.Cmd, *os.File) {
	t.Helper()
	cmd := exec.Command("../run", "bash", "-c", script)
	cmd.Stderr = os.Stderr
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() { cmd.Process.Kill() })
	line := make([]byte, 3)
	if _, err := out.Read(line); err != nil || string(line) != "up\n" {
		t.Fatalf("CMD did not start: %q %v", line, err)
	}
	return cmd, out
}

// leftovers lists all that a run could leave on the machine.
func leftovers(t *testing.T) string {
	t.Helper()
	var found []string
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		found = append(found, "link "+link.Name)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := exec.Command("nft", "list", "ruleset").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"/run/lock/stsgrade-cluster-*", filepath.Join(os.TempDir(), "stsgrade-cluster-*"),
		"/sys/fs/cgroup/stsgrade*", "/sys/fs/cgroup/*/stsgrade*", "/sys/fs/cgroup/k8s.io", "/sys/fs/cgroup/*/k8s.io"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		line, _ := os.ReadFile(name)
		for _, ours := range []string{"stsgrade-cluster", "stsgrade/cluster", "containerd-shim", "/var/lib/stsgrade"} {
			if bytes.Contains(line, []byte(ours)) && !bytes.Contains(line, []byte("selftest")) {
				found = append(found, "process "+strings.ReplaceAll(string(line), "\x00", " "))
				break
			}
		}
	}
	sort.Strings(found)
	return strings.Join(found, "\n") + "\n" + string(mounts) + string(rules)
}

func status(t *testing.T, err error) int {
	t.Helper()
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

func TestExitStatusAndNothingLeft(t *testing.T) {
	before := leftovers(t)
	err := exec.Command("../run", "bash", "-c", "test -s $KUBECONFIG && exit 7").Run()
	if got := status(t, err); got != 7 {
		t.Errorf("exit status is %d, want CMD's 7", got)
	}
	if after := leftovers(t); after != before {
		t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
	}
}

// Further nodes have namespaces, cgroups and links of their own.
func TestSeveralNodesLeaveNothing(t *testing.T) {
	before := leftovers(t)
	t.Setenv("STSGRADE_CLUSTER_NODES", "3")
	err := exec.Command("../run", "bash", "-c", "test -s $KUBECONFIG && exit 7").Run()
	if got := status(t, err); got != 7 {
		t.Errorf("exit status is %d, want CMD's 7", got)
	}
	killed, _ := start(t, "echo up; exec sleep 600")
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.Wait()
	t.Setenv("STSGRADE_CLUSTER_NODES", "1")
	if err := exec.Command("../run", "true").Run(); err != nil {
		t.Error(err)
	}
	if after := leftovers(t); after != before {
		t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
	}
}

func TestSignalsReachCommand(t *testing.T) {
	before := leftovers(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd, _ := start(t, `trap 'exit 42' INT TERM; echo up; while :; do sleep 0.1; done`)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if got := status(t, cmd.Wait()); got != 42 {
			t.Errorf("%v: exit status is %d, want CMD's 42", signal, got)
		}
	}
	if after := leftovers(t); after != before {
		t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
	}
}

func TestInterruptedWhileStarting(t *testing.T) {
	before := leftovers(t)
	cmd := exec.Command("../run", "true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // any moment will do
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := status(t, cmd.Wait()); got != 128+int(syscall.SIGTERM) {
		t.Errorf("exit status is %d", got)
	}
	if after := leftovers(t); after != before {
		t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
	}
}

// A run that is killed is cleaned up by the next one, which leaves its living neighbour alone.
func TestKilledBesideLiving(t *testing.T) {
	before := leftovers(t)
	killed, _ := start(t, "echo up; exec sleep 600")
	living, _ := start(t, `trap 'exec 3<>/dev/tcp/$(sed -n "s|.*https://\(.*\):6443|\1/6443|p" $KUBECONFIG) && exit 0; exit 9' TERM; echo up; while :; do sleep 0.1; done`)
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.Wait()
	if err := exec.Command("../run", "true").Run(); err != nil {
		t.Error(err)
	}
	// The living one's API server still answers: its CMD connects to it before it ends.
	if err := living.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := status(t, living.Wait()); got != 0 {
		t.Errorf("the living cluster does not answer any more: exit status %d", got)
	}
	if after := leftovers(t); after != before {
		t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
	}
}

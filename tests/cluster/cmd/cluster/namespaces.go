package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Where the state and the build are mounted inside: their own places may be hidden there, below /tmp.
const (
	insideState = "/var/lib/stsgrade/state"
	insideBuild = "/var/lib/stsgrade/build"
)

// startInit starts PID 1 of new namespaces. When this process dies, even by SIGKILL, the kernel kills PID 1, and
// with PID 1 everything in its namespaces: no component, container, mount, address or rule can stay.
//
// The caller's goroutine must be locked to the main thread: the kernel watches the thread, not the process.
func (s slot) startInit(ready *os.File) (*exec.Cmd, error) {
	cmd := exec.Command("/proc/self/exe", "init", strconv.Itoa(s.number), s.state, s.build)
	cmd.Args[0] = "stsgrade-cluster"              // for those who read ps
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr // standard output belongs to CMD
	cmd.ExtraFiles = []*os.File{ready}
	// Nothing of the caller's environment: a proxy set there would catch the components' own connections.
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"STSGRADE_CLUSTER_DNS_TTL=" + os.Getenv("STSGRADE_CLUSTER_DNS_TTL"),
		"STSGRADE_CLUSTER_DOMAIN=" + os.Getenv("STSGRADE_CLUSTER_DOMAIN"),
		nodesVariable + "=" + os.Getenv(nodesVariable),
		ipsVariable + "=" + os.Getenv(ipsVariable)}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true, // Ctrl-C is for CMD; the cluster goes down after it
	}
	return cmd, cmd.Start()
}

// initMain is PID 1: it prepares the mounts, starts the node, and reaps what loses its parent, as the containers'
// shims do. It is not the node itself because reaping everything would take the node's own children from it.
func initMain(s slot) error {
	runtime.LockOSThread()
	if err := s.joinCgroups(s.cgroup()); err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	sources := map[string]string{insideState: s.state, insideBuild: s.build}
	if err := mountAll(sources, s.cgroup()); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	if err := unix.Sethostname([]byte(nodeName)); err != nil {
		return err
	}
	node := exec.Command("/proc/self/exe", "node", strconv.Itoa(s.number), insideState, insideBuild)
	node.Args[0] = "stsgrade-cluster"
	node.Stdout, node.Stderr = os.Stdout, os.Stderr
	node.ExtraFiles = []*os.File{os.NewFile(3, "ready")}
	// A cgroup namespace starts at the cgroup that its creator is in: joinCgroups made that the slot's own.
	node.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWCGROUP}
	if err := node.Start(); err != nil {
		return err
	}
	os.NewFile(3, "ready").Close()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid == node.Process.Pid {
			os.Exit(1) // the node does not end by itself, unless it failed
		}
	}
}

// mountAll covers every folder that the components write to with memory, so that what they write dies with the
// mount namespace and never reaches the machine, and shows them only what is below the cgroup. Each source stays
// reachable, at the path that it is given for.
func mountAll(sources map[string]string, cgroup string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	// Opened before the memory may cover their paths.
	for target, source := range sources {
		fd, err := unix.Open(source, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		sources[target] = fmt.Sprintf("/proc/self/fd/%d", fd)
	}
	for _, dir := range []string{"/run", "/tmp", "/var/lib", "/var/log"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=1777"); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	for target, source := range sources {
		if err := bind(source, target); err != nil {
			return err
		}
	}
	for _, hierarchy := range cgroupHierarchies() {
		// The original is taken away, not covered: the components would otherwise find each hierarchy twice.
		const passing = "/run/cgroup"
		if err := bind(filepath.Join(hierarchy, cgroup), passing); err != nil {
			return err
		}
		if err := unix.Unmount(hierarchy, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", hierarchy, err)
		}
		if err := unix.Mount(passing, hierarchy, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("moving the cgroups to %s: %w", hierarchy, err)
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	// Shared among the node and its containers, as systemd has it: volumes with mountPropagation need it.
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

func bind(source, target string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", source, target, err)
	}
	return nil
}

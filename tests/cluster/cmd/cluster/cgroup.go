package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// cgroupHierarchies lists the mount points of all cgroup hierarchies: one with cgroup v2, a dozen with
// v1. Both are handled alike: the cluster gets one cgroup in each, which the components see as the
// root. So all that they and the containers make lies below it, and is removed with it.
func cgroupHierarchies() []string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var points []string
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(before); len(fields) > 4 && strings.HasPrefix(after, "cgroup") {
			points = append(points, fields[4])
		}
	}
	return points
}

func isCgroupV2(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.controllers"))
	return err == nil
}

// onlyCgroupV2 tells whether the machine has no v1 hierarchy left.
func onlyCgroupV2() bool { return isCgroupV2("/sys/fs/cgroup") }

// makeCgroups makes the slot's cgroup in each hierarchy.
func (s slot) makeCgroups() error {
	for _, hierarchy := range cgroupHierarchies() {
		if isCgroupV2(hierarchy) {
			delegateControllers(hierarchy)
		}
		if err := makeCgroup(hierarchy, s.cgroup()); err != nil {
			return err
		}
	}
	return nil
}

func makeCgroup(parent, name string) error {
	top := filepath.Join(parent, name)
	if err := os.MkdirAll(top, 0o755); err != nil {
		return err
	}
	// A new v1 cpuset is empty and takes no process until it is given processors and memory.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		all, err := os.ReadFile(filepath.Join(parent, file))
		if err == nil && len(bytes.TrimSpace(all)) > 0 {
			if err := os.WriteFile(filepath.Join(top, file), all, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// joinCgroups moves this process into the cgroup of this name in each hierarchy.
func (s slot) joinCgroups(name string) error {
	for _, hierarchy := range cgroupHierarchies() {
		if err := os.WriteFile(filepath.Join(hierarchy, name, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	return nil
}

// componentsCgroup is where a node's own processes are with cgroup v2.
const componentsCgroup = "components"

// settleCgroups prepares the root cgroup, as the node sees it, for the containers' cgroups below it. Cgroup v2
// gives controllers only to the children of a cgroup that has no process of its own, so those in it move down;
// "0" is this process.
func settleCgroups(processes ...string) error {
	for _, hierarchy := range cgroupHierarchies() {
		if !isCgroupV2(hierarchy) {
			continue
		}
		own := filepath.Join(hierarchy, componentsCgroup)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		for _, pid := range processes {
			if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte(pid), 0); err != nil {
				return err
			}
		}
		delegateControllers(hierarchy)
	}
	return nil
}

// delegateControllers lets the children of a v2 cgroup use the controllers that a kubelet needs. One that cannot be
// given is not fatal: the kubelet names those that it misses.
func delegateControllers(dir string) {
	for _, controller := range []string{"cpu", "cpuset", "memory", "pids", "io"} {
		os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
}

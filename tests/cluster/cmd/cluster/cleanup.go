package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
)

// clean removes everything of a slot that outlives the death of its namespaces: the veth pair, the
// cgroups and the state folder. Mounts, addresses, nftables rules and processes died with PID 1.
//
// It is used at a run's own end and by the next run for one that was killed. What is already gone is fine.
func (s slot) clean() {
	if link, err := netlink.LinkByName(s.veth()); err == nil {
		err := netlink.LinkDel(link)
		// The kernel removes it too, a moment after the namespace at its other end is gone.
		if _, gone := netlink.LinkByName(s.veth()); err != nil && gone == nil {
			say("cannot remove the network link %s: %v", s.veth(), err)
		}
	}
	for _, hierarchy := range cgroupHierarchies() {
		if err := removeCgroups(filepath.Join(hierarchy, s.cgroup())); err != nil {
			say("cannot remove a cgroup: %v", err)
		}
	}
	switch {
	case s.state == "":
	case os.Getenv("KEEP") != "":
		say("kept %s", s.state)
	default:
		if err := os.RemoveAll(s.state); err != nil {
			say("cannot remove %s: %v", s.state, err)
		}
	}
}

// removeCgroups removes a cgroup and all below it, the deepest first. The kernel refuses a cgroup as
// long as a process in it is not quite gone, and those of a killed run are killed only just now.
func removeCgroups(top string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		var dirs []string
		filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		var failed error
		for _, dir := range slices.Backward(dirs) {
			if err := syscall.Rmdir(dir); err != nil && err != syscall.ENOENT {
				failed = &fs.PathError{Op: "rmdir", Path: dir, Err: err}
			}
		}
		if failed == nil || time.Now().After(deadline) {
			return failed
		}
		time.Sleep(20 * time.Millisecond)
	}
}

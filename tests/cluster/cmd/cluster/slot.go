package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A slot is what sets clusters on one machine apart: its number names the veth pair, the addresses
// and the cgroups. A run owns its slot by a lock on the slot's file, which the kernel gives up when
// the run dies, however it dies: a slot file without a lock is a dead run's, and says what to clean.
type slot struct {
	number int
	state  string // folder with certificates, configuration, logs and the control socket
	build  string // folder with the binaries and images, shared by all runs of one build
	lock   *os.File
}

const (
	slots   = 64
	lockDir = "/run/lock"
)

func (s slot) lockPath() string {
	return filepath.Join(lockDir, "stsgrade-cluster-"+strconv.Itoa(s.number))
}
func (s slot) veth() string       { return "stsgrade" + strconv.Itoa(s.number) }
func (s slot) cgroup() string     { return "stsgrade-cluster-" + strconv.Itoa(s.number) }
func (s slot) outerIP() net.IP    { return net.IPv4(10, 89, byte(s.number), 1).To4() }
func (s slot) innerIP() net.IP    { return net.IPv4(10, 89, byte(s.number), 2).To4() }
func (s slot) in(p string) string { return filepath.Join(s.state, p) }
func (s slot) node() string       { return filepath.Join(s.build, "bin", "node") }

// network wraps an address of the slot in its /30.
func network(ip net.IP) *net.IPNet { return &net.IPNet{IP: ip, Mask: net.CIDRMask(30, 32)} }

// takeSlot cleans what dead runs left and takes the first free slot.
func takeSlot() (slot, error) {
	if err := os.MkdirAll(lockDir, 0o755); err != nil {
		return slot{}, err
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return slot{}, err
	}
	var chosen *slot
	for number := range slots {
		s := slot{number: number}
		_, err := os.Stat(s.lockPath())
		left := err == nil
		if !left && (chosen != nil || addressTaken(s, addresses)) {
			continue
		}
		switch err := s.acquire(); {
		case errors.Is(err, unix.EWOULDBLOCK):
			continue // a living run's
		case err != nil:
			return slot{}, err
		}
		if left {
			s.clean()
		}
		if chosen == nil {
			chosen = &s
		} else {
			s.release()
		}
	}
	if chosen == nil {
		return slot{}, fmt.Errorf("all %d slots are taken, see %s/stsgrade-cluster-*", slots, lockDir)
	}
	return *chosen, nil
}

// addressTaken tells whether some other interface of the machine lives in the slot's network.
func addressTaken(s slot, addresses []net.Addr) bool {
	for _, address := range addresses {
		if have, ok := address.(*net.IPNet); ok && (have.Contains(s.innerIP()) || network(s.outerIP()).Contains(have.IP)) {
			return true
		}
	}
	return false
}

// acquire locks the slot's file, without waiting, and reads the state folder that it names.
func (s *slot) acquire() error {
	for {
		file, err := os.OpenFile(s.lockPath(), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			file.Close()
			return err
		}
		// The owner removes the file when it is done: what was locked may no longer be the one at the path.
		mine, err1 := file.Stat()
		there, err2 := os.Stat(s.lockPath())
		if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
			file.Close()
			continue
		}
		content, err := io.ReadAll(file)
		if err != nil {
			file.Close()
			return err
		}
		s.lock, s.state = file, strings.TrimSpace(string(content))
		if owner, ok := mine.Sys().(*syscall.Stat_t); !ok || owner.Uid != 0 || !s.isState(s.state) {
			s.state = "" // anybody may write to the folder of the locks: what is not ours is not removed
		}
		return nil
	}
}

// isState tells whether a path is one that makeState makes for this slot.
func (s *slot) isState(path string) bool {
	number, found := strings.CutPrefix(filepath.Base(path), fmt.Sprintf("stsgrade-cluster-%d-", s.number))
	_, err := strconv.ParseUint(number, 10, 64)
	return found && err == nil && filepath.IsAbs(path) && filepath.Clean(path) == path
}

// makeState makes the state folder and notes it in the slot's file, for the next run to remove should
// this one die. The note comes first: a folder that nobody knows of would stay for ever.
func (s *slot) makeState() error {
	s.state = filepath.Join(os.TempDir(), fmt.Sprintf("stsgrade-cluster-%d-%d", s.number, time.Now().UnixNano()))
	if err := s.lock.Truncate(0); err != nil {
		return err
	}
	if _, err := s.lock.WriteAt([]byte(s.state+"\n"), 0); err != nil {
		return err
	}
	dirs := []string{s.in(""), s.in("pki"), s.in("log")}
	for _, w := range s.workers() {
		dirs = append(dirs, filepath.Join(w.configDir(), "cni"), filepath.Join(w.configDir(), "registry/_default"))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// release gives the slot back. The file goes before the lock does, see acquire.
func (s *slot) release() {
	os.Remove(s.lockPath())
	s.lock.Close()
}

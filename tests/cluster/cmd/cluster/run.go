package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exit statuses of run's own, as shells have them.
const (
	exitCluster    = 125 // the cluster did not come up
	exitCannotRun  = 126
	exitNotFound   = 127
	exitSignalBase = 128
)

// run starts a cluster, runs CMD and takes the cluster down. It returns CMD's exit status.
func run(args []string) int {
	runtime.LockOSThread() // see startInit
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup wants it
		signal.Notify(signals, syscall.SIGHUP)
	}

	path, err := exec.LookPath(args[0])
	if err != nil {
		say("%v", err)
		if errors.Is(err, fs.ErrPermission) {
			return exitCannotRun
		}
		return exitNotFound
	}
	build, err := buildDir()
	if err = errors.Join(err, checkNodes(), checkIPs()); err != nil {
		say("%v", err)
		return exitCluster
	}
	s, err := takeSlot()
	if err != nil {
		say("%v", err)
		return exitCluster
	}
	defer s.release()
	defer func() { s.clean() }() // with the state folder that s has by then
	s.build = build

	start := time.Now()
	cluster, err := s.bringUp(signals)
	if cluster != nil {
		defer func() {
			cluster.Process.Kill()
			cluster.Wait()
		}()
	}
	var interrupted *interruption
	switch {
	case errors.As(err, &interrupted):
		return exitSignalBase + int(interrupted.signal)
	case err != nil:
		say("%v (KEEP=1 keeps all logs)", err)
		return exitCluster
	}
	say("up after %s", since(start))
	return s.runCommand(path, args, signals)
}

type interruption struct{ signal syscall.Signal }

func (i *interruption) Error() string { return "interrupted: " + i.signal.String() }

// bringUp starts the cluster and waits until it says that it is ready. The process that it returns is PID 1 inside
// and is to be killed, also when there is an error.
func (s *slot) bringUp(signals <-chan os.Signal) (*exec.Cmd, error) {
	if err := s.makeState(); err != nil {
		return nil, err
	}
	if err := errors.Join(s.writeCredentials(), s.writeConfig()); err != nil {
		return nil, err
	}
	if err := s.makeCgroups(); err != nil {
		return nil, fmt.Errorf("cgroups: %w", err)
	}
	ready, readyInside, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	init, err := s.startInit(readyInside)
	readyInside.Close()
	if err != nil {
		return nil, fmt.Errorf("starting in new namespaces (this needs root): %w", err)
	}
	if err := s.connect(init.Process.Pid); err != nil {
		return init, err
	}
	answered := make(chan bool, 1)
	go func() {
		count, _ := ready.Read(make([]byte, 1))
		answered <- count == 1
	}()
	select {
	case up := <-answered:
		if !up {
			return init, errors.New("the cluster did not come up")
		}
		return init, nil
	case signal := <-signals:
		return init, &interruption{signal.(syscall.Signal)}
	}
}

// runCommand runs CMD with the caller's own streams, folder and environment, and the cluster's variables.
//
// CMD gets a process group of its own, in the foreground if this one is, so that a signal reaches it exactly once:
// what the terminal sends goes to CMD, and what is sent to this process is passed on.
func (s slot) runCommand(path string, args []string, signals <-chan os.Signal) int {
	os.Setenv("KUBECONFIG", s.in("kubeconfig"))
	os.Setenv("STSGRADE_CLUSTER", s.state)
	os.Setenv("STSGRADE_CLUSTER_CTL", filepath.Join(s.build, "bin", "cluster"))
	attributes := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil {
		defer terminal.Close()
		if group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP); err == nil && group == unix.Getpgrp() {
			attributes.Foreground, attributes.Ctty = true, int(terminal.Fd())
			defer func() {
				// Takes the terminal back. A background process that does so is stopped, unless it ignores SIGTTOU.
				signal.Ignore(syscall.SIGTTOU)
				unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPGRP, group)
			}()
		}
	}
	process, err := os.StartProcess(path, args, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   attributes,
	})
	if err != nil {
		say("%v", err)
		return exitCannotRun
	}
	go func() {
		for signal := range signals {
			process.Signal(signal)
		}
	}()
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(process.Pid, &status, syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			say("waiting for %s: %v", args[0], err)
			return exitCannotRun
		case status.Stopped():
			// Ctrl-Z stops CMD's group alone, and no shell would know how to wake it.
			syscall.Kill(-process.Pid, syscall.SIGCONT)
		case status.Signaled():
			return exitSignalBase + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}

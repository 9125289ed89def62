package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	mostNodes = 3

	// nodesVariable is how many nodes the cluster has.
	nodesVariable = "STSGRADE_CLUSTER_NODES"
)

// A worker is a node of the cluster: a containerd, a kubelet and a kube-proxy. The first shares its namespaces
// with the control plane. Each further one has network, mount, UTS, IPC and cgroup namespaces of its own, which a
// process holds that does nothing else; its components are started into them (enterMain).
type worker struct {
	slot
	index  int // 1 for the first
	holder int // the process that holds its namespaces; 0 for the first, whose namespaces are our own
}

// nodeCount is how many nodes the cluster has. The switch was checked by checkNodes.
func nodeCount() int {
	count, _ := strconv.Atoi(os.Getenv(nodesVariable))
	return max(count, 1)
}

func checkNodes() error {
	value := os.Getenv(nodesVariable)
	if value == "" {
		return nil
	}
	if count, err := strconv.Atoi(value); err != nil || count < 1 || count > mostNodes {
		return fmt.Errorf("%s is a number from 1 to %d, not %q", nodesVariable, mostNodes, value)
	}
	return nil
}

func (s slot) workers() []*worker {
	var all []*worker
	for index := 1; index <= nodeCount(); index++ {
		all = append(all, &worker{slot: s, index: index})
	}
	return all
}

// workerNamed finds a node by its name.
func workerNamed(workers []*worker, name string) (*worker, error) {
	for _, w := range workers {
		if w.name() == name {
			return w, nil
		}
	}
	return nil, fmt.Errorf("there is no node %q; there are %d", name, len(workers))
}

func (w *worker) isFirst() bool { return w.index == 1 }
func (w *worker) name() string  { return "node-" + strconv.Itoa(w.index) }
func (w *worker) zone() string  { return "zone-" + string(rune('a'-1+w.index)) }

// of is the name of one of its components, by which ctl has its log too.
func (w *worker) of(component string) string {
	if w.isFirst() {
		return component
	}
	return component + "-" + w.name()
}

// configDir is its configuration as the control plane sees it. The node itself sees it as config.
func (w *worker) configDir() string {
	if w.isFirst() {
		return w.in("config")
	}
	return w.in("nodes/" + w.name())
}

// root is where the control plane sees the node's files.
func (w *worker) root() string {
	if w.isFirst() {
		return ""
	}
	return fmt.Sprintf("/proc/%d/root", w.holder)
}

// enter makes a command one that runs on the node.
func (w *worker) enter(command ...string) []string {
	if w.isFirst() {
		return command
	}
	return append([]string{"/proc/self/exe", "enter", w.name(), strconv.Itoa(w.holder)}, command...)
}

// The link between the first node and a further one: the first, which routes between all, is its gateway.
func (w *worker) gateway() net.IP { return net.IPv4(10, 87, byte(w.index), 1).To4() }

func (w *worker) ip() net.IP {
	if w.isFirst() {
		return w.innerIP()
	}
	return net.IPv4(10, 87, byte(w.index), 2).To4()
}

// pods is the network of the node's pods.
func (w *worker) pods() *net.IPNet {
	_, all, err := net.ParseCIDR(podNetwork)
	if err != nil {
		panic(err)
	}
	if nodeCount() > 1 {
		ones, _ := all.Mask.Size()
		all.Mask = net.CIDRMask(ones+2, 32)
		all.IP[2] = byte((w.index - 1) << 6)
	}
	return all
}

// startHolder makes a further node's namespaces and links them to our own.
func (w *worker) startHolder() error {
	for _, hierarchy := range cgroupHierarchies() {
		if err := makeCgroup(hierarchy, w.name()); err != nil {
			return err
		}
	}
	ready, readyInside, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	holder := exec.Command("/proc/self/exe", "worker", strconv.Itoa(w.number), w.state, w.build, strconv.Itoa(w.index))
	holder.Args[0] = "stsgrade-cluster"
	holder.Stdout, holder.Stderr = os.Stdout, os.Stderr
	holder.ExtraFiles = []*os.File{readyInside}
	holder.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
	}
	err = holder.Start()
	readyInside.Close()
	if err != nil {
		return err
	}
	w.holder = holder.Process.Pid
	if err := w.link(); err != nil {
		return err
	}
	if count, _ := ready.Read(make([]byte, 1)); count != 1 {
		return errors.New("its namespaces did not come up")
	}
	return nil
}

// link joins the node's network namespace to our own, and routes what is for its pods there.
func (w *worker) link() error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = w.name()
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: innerLink, PeerNamespace: netlink.NsPid(w.holder)}
	if err := netlink.LinkAdd(pair); err != nil {
		return err
	}
	if err := netlink.AddrAdd(pair, &netlink.Addr{IPNet: network(w.gateway())}); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(pair); err != nil {
		return err
	}
	if hasSix() {
		if err := addAddress6(pair, w.gateway6()); err != nil {
			return err
		}
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: pair.Attrs().Index, Dst: w.pods6(), Gw: w.ip6()}); err != nil {
			return err
		}
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: pair.Attrs().Index, Dst: w.pods(), Gw: w.ip()})
}

// workerMain holds a further node's namespaces.
func workerMain(w *worker) error {
	// The one thread whose namespaces others find as those of this process.
	if unix.Gettid() != unix.Getpid() {
		return errors.New("not on the main thread")
	}
	runtime.LockOSThread()
	if err := w.joinCgroups(w.name()); err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("the cgroup namespace: %w", err)
	}
	sources := map[string]string{insideState: w.state, insideBuild: w.build, sharedDir: sharedDir}
	if err := mountAll(sources, w.name()); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	if err := bind(w.configDir(), w.in("config")); err != nil {
		return err
	}
	if err := settleCgroups("0"); err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	if err := unix.Sethostname([]byte(w.name())); err != nil {
		return err
	}
	if err := os.MkdirAll(volumesDir, 0o755); err != nil {
		return err
	}
	if err := w.setUpNetwork(); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	ready := os.NewFile(3, "ready")
	if _, err := ready.Write([]byte{1}); err != nil {
		return err
	}
	ready.Close()
	for {
		time.Sleep(time.Hour) // until init is killed
	}
}

// setUpNetwork configures a further node's namespace. Each other node, and its pods, is reached by the first one.
func (w *worker) setUpNetwork() error {
	link, err := setUpLinks(w)
	if err != nil {
		return err
	}
	for _, other := range w.workers() {
		if other.index == w.index {
			continue
		}
		address := &net.IPNet{IP: other.ip(), Mask: net.CIDRMask(32, 32)}
		for _, target := range []*net.IPNet{address, other.pods()} {
			if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: target, Gw: w.gateway()}); err != nil {
				return fmt.Errorf("the route to %s: %w", target, err)
			}
		}
		if hasSix() {
			if err := w.routes6(link, other); err != nil {
				return err
			}
		}
	}
	return nil
}

// listen opens a socket on the node. A socket stays in the namespace that it was made in.
func (w *worker) listen(address string) (net.Listener, error) {
	if w.isFirst() {
		return net.Listen("tcp", address)
	}
	type result struct {
		listener net.Listener
		err      error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", w.holder))
		if err == nil {
			defer namespace.Close()
			err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			made <- result{nil, err}
			return
		}
		listener, err := net.Listen("tcp", address)
		made <- result{listener, err}
	}()
	it := <-made
	return it.listener, it.err
}

// enterMain becomes a program on a further node: "enter NODE HOLDER PROGRAM [ARG...]".
func enterMain(args []string) error {
	runtime.LockOSThread()
	name, holder, command := args[0], args[1], args[2:]
	for _, hierarchy := range cgroupHierarchies() {
		own := filepath.Join(hierarchy, name)
		if isCgroupV2(hierarchy) {
			own = filepath.Join(own, componentsCgroup)
		}
		if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	// A thread that shares its root folder with others may not change its mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	kinds := []string{"cgroup", "ipc", "uts", "net", "mnt"}
	var files []*os.File
	for _, kind := range kinds {
		file, err := os.Open(filepath.Join("/proc", holder, "ns", kind))
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	for i, file := range files {
		if err := unix.Setns(int(file.Fd()), 0); err != nil {
			return fmt.Errorf("entering the %s namespace of %s: %w", kinds[i], name, err)
		}
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, command, os.Environ())
}
